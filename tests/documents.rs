//! Documents run: what the README and the guide show in a terminal is what happens there.
//!
//! Each block fenced as `console` is executed, in order, one session for each document. A line that
//! starts with `$ ` is a command, `> ` continues it, and the lines below are what the terminal then
//! shows: the command's output, and what programs in the background (` &`) write meanwhile. `...`
//! alone stands for any lines, `[..]` for any text within a line. A block fenced as `console,ignore`
//! or otherwise is not run.
//!
//! A session has a folder with a copy of `zones/`, `zonesmith` on its PATH, and a `cargo` that takes
//! `run --release --` for the program that was built for the tests. Its ports are free ones in place
//! of those that are printed.
#![allow(clippy::unwrap_used)] // in helpers of tests as in tests themselves

mod support;

use rustix::process::{Pid, Signal, kill_process_group};
use std::fs::{self, File, Permissions};
use std::io::{Read, Seek, SeekFrom};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use support::program::{copy_zones, ended, folder, free_port, plain, zonesmith};
use support::{peers, server};
use tempfile::TempDir;

/// How long a command may take: an example may have to be compiled first.
const COMMAND_PATIENCE: Duration = Duration::from_secs(300);
/// Between two looks at what is awaited.
const LOOK_AGAIN: Duration = Duration::from_millis(5);
/// The ports that the documents print.
const PORTS: [&str; 2] = ["5300", "5301"];
/// Columns from one tab stop to the next.
const TAB: usize = 8;
/// Programs of others that documents show: those that ask, and those that make something.
const ASKERS: [&str; 3] = ["dig", "nslookup", "delv"];
const MAKERS: [&str; 4] = ["dnssec-keygen", "dnssec-signzone", "dnssec-dsfromkey", "openssl"];

#[test]
fn the_readme_runs() {
    run(&root().join("README.md"));
}

#[test]
fn the_guide_runs() {
    guide().iter().for_each(|document| run(document));
}

#[test]
fn links_lead_to_files() {
    for document in guide().iter().chain([&root().join("README.md")]) {
        let text = fs::read_to_string(document).unwrap();
        for (at, _) in text.match_indices("](") {
            let target = text[at + 2..].split(')').next().unwrap();
            let there = || document.parent().unwrap().join(target).exists();
            let name = document.display();
            assert!(target.starts_with("https://") || there(), "{name} links to {target}");
        }
    }
}

/// A page that claims something names the tests that hold it: a file, then quoted names within it.
#[test]
fn tests_that_are_named_are_there() {
    let page = fs::read_to_string(root().join("examples/guide/saving.md")).unwrap();
    let (_, list) = page.rsplit_once("held by tests").unwrap();
    let (mut file, mut count) = (String::new(), 0);
    for quoted in list.split('`').skip(1).step_by(2) {
        if quoted.starts_with("tests/") {
            file = fs::read_to_string(root().join(quoted)).unwrap();
            continue;
        }
        let written = [format!("fn {quoted}()"), format!("\"{quoted}\"")];
        assert!(written.iter().any(|name| file.contains(name)), "there is no test {quoted}");
        count += 1;
    }
    let rows = page.lines().filter(|line| line.starts_with("| ") && line.matches('|').count() > 7);
    assert!(count >= rows.count() - 1, "a test for each row");
}

#[test]
fn the_readme_has_every_flag() {
    let help = |command| ended(zonesmith().args([command, "--help"])).stdout;
    let help = help("serve") + &help("check") + &help("explain");
    let readme = fs::read_to_string(root().join("README.md")).unwrap();
    let flags = help.split_whitespace().filter(|word| word.starts_with("--") && word.len() > 2);
    let long_only = |flag: &&str| !["--verbose...", "--quiet...", "--help"].contains(flag);
    for flag in flags.filter(long_only) {
        assert!(readme.contains(flag), "the README says nothing of {flag}");
    }
}

/// The documents of the guide.
fn guide() -> Vec<PathBuf> {
    let entries = fs::read_dir(root().join("examples/guide")).unwrap();
    let documents: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    assert!(documents.len() >= 2, "the guide has its documents");
    documents
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Runs a document, unless it needs a program that is missing.
fn run(document: &Path) {
    let steps = steps(&fs::read_to_string(document).unwrap());
    assert!(!steps.is_empty(), "{} shows no command", document.display());
    let needs = |peer: &&&str| steps.iter().any(|step| words(&step.command).any(|w| w == **peer));
    if ASKERS.iter().chain(&MAKERS).filter(needs).any(|peer| peers::find(peer).is_none()) {
        return;
    }
    let mut session = Session::new();
    for step in &steps {
        if let Err(shown) = session.run(step) {
            let (name, line) = (document.display(), step.line);
            let (command, expected) = (&step.command, step.expected.join("\n"));
            panic!("{name}:{line}\n$ {command}\n--- printed\n{expected}\n--- shown\n{shown}");
        }
    }
}

fn words(command: &str) -> impl Iterator<Item = &str> {
    command.split(|c: char| !c.is_alphanumeric() && c != '-')
}

//----------- Reading a document ---------------------------------------------------------------------

/// A command and what the terminal shows after it.
#[derive(Debug, Default, PartialEq)]
struct Step {
    /// The line of the document that the command is on.
    line: usize,
    command: String,
    expected: Vec<String>,
}

/// The commands of all blocks.
fn steps(markdown: &str) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    let mut fence = None;
    for (index, line) in markdown.lines().enumerate() {
        match (line.strip_prefix("```"), fence) {
            (Some(kind), None) => fence = Some(kind),
            (Some(_), Some(_)) => fence = None,
            (None, Some("console")) => take(line, index + 1, &mut steps),
            (None, _) => {}
        }
    }
    assert_eq!(fence, None, "a block has no end");
    steps
}

/// Takes one line of a block.
fn take(text: &str, line: usize, steps: &mut Vec<Step>) {
    if let Some(command) = text.strip_prefix("$ ") {
        let command = command.to_owned();
        return steps.push(Step { line, command, expected: Vec::new() });
    }
    let step = steps.last_mut().expect("a block starts with a command");
    match text.strip_prefix("> ").filter(|_| step.expected.is_empty()) {
        Some(more) => step.command.extend(["\n", more]),
        None => step.expected.push(text.to_owned()),
    }
}

//----------- What is expected -----------------------------------------------------------------------

/// Lines as a terminal shows them: tabs as columns, nothing behind the last character, no empty
/// lines around.
fn shown(text: &str) -> Vec<String> {
    let lines: Vec<String> = text.lines().map(|line| columns(line).trim_end().to_owned()).collect();
    let full = |line: &String| !line.is_empty();
    let first = lines.iter().position(full).unwrap_or(lines.len());
    let last = lines.iter().rposition(full).map_or(first, |last| last + 1);
    lines[first..last].to_vec()
}

fn columns(line: &str) -> String {
    line.split_inclusive('\t').fold(String::new(), |mut shown, part| {
        shown.push_str(part.trim_end_matches('\t'));
        let width = shown.chars().count();
        let missing = if part.ends_with('\t') { TAB - width % TAB } else { 0 };
        shown + &" ".repeat(missing)
    })
}

/// Whether lines are as expected.
fn matches(expected: &[String], lines: &[String]) -> bool {
    let Some((pattern, others)) = expected.split_first() else { return lines.is_empty() };
    if pattern == "..." || pattern == "…" {
        return (0..=lines.len()).any(|skipped| matches(others, &lines[skipped..]));
    }
    let rest = lines.split_first().filter(|(line, _)| line_matches(pattern, line));
    rest.is_some_and(|(_, rest)| matches(others, rest))
}

fn line_matches(pattern: &str, line: &str) -> bool {
    let Some((start, rest)) = pattern.split_once("[..]") else { return pattern == line };
    let Some(line) = line.strip_prefix(start) else { return false };
    let ends = line.char_indices().map(|(at, _)| at).chain([line.len()]);
    ends.into_iter().any(|at| line_matches(rest, &line[at..]))
}

//----------- A session ------------------------------------------------------------------------------

/// A reader at a terminal.
struct Session {
    folder: TempDir,
    /// Everything that was shown so far.
    screen: File,
    /// Where the screen of the next command begins.
    mark: u64,
    /// What stands for the documents' ports.
    ports: [String; PORTS.len()],
    background: Vec<Child>,
}

impl Session {
    fn new() -> Session {
        let folder = folder();
        copy_zones(folder.path());
        bin(&folder.path().join(".bin"));
        let screen = folder.path().join(".screen");
        let screen = File::options().create(true).append(true).read(true).open(screen).unwrap();
        let ports = PORTS.map(|_| free_port().to_string());
        Session { folder, screen, mark: 0, ports, background: Vec::new() }
    }

    /// Runs a command and waits until the screen is as expected; else gives what was shown.
    fn run(&mut self, step: &Step) -> Result<(), String> {
        let command = self.with_ports(&step.command);
        let expected = shown(&self.with_ports(&step.expected.join("\n")));
        // A zone is served an instant after the line that says so, and asking again changes nothing.
        let asks = ASKERS.contains(&words(&command).next().unwrap_or(""));
        let patience = if asks { Duration::ZERO } else { server::DEADLINE };
        let start = Instant::now();
        loop {
            self.start(&command);
            if self.wait(&expected, patience) {
                return Ok(());
            }
            if !asks || start.elapsed() > server::DEADLINE {
                return Err(self.shown().0.join("\n"));
            }
            self.mark = self.len();
        }
    }

    /// The text with our ports: marks come first, for one of ours may hold another as 15301 does.
    fn with_ports(&self, text: &str) -> String {
        let marks = ["\u{1}", "\u{2}"];
        let marked =
            PORTS.iter().zip(marks).fold(text.to_string(), |t, (port, mark)| t.replace(port, mark));
        marks.iter().zip(&self.ports).fold(marked, |t, (mark, port)| t.replace(mark, port))
    }

    /// Starts a command, and sees it to its end unless it goes to the background.
    fn start(&mut self, command: &str) {
        match command.strip_suffix(" &") {
            Some(command) => {
                let mut shell = self.shell(&format!("exec {command}"));
                let child = shell.process_group(0).spawn().unwrap();
                self.background.push(child);
            }
            None => finish(&mut self.shell(command).spawn().unwrap(), command),
        }
    }

    /// Waits until the screen is as expected; whether it came to that.
    fn wait(&mut self, expected: &[String], patience: Duration) -> bool {
        let start = Instant::now();
        loop {
            let (lines, end) = self.shown();
            if matches(expected, &lines) {
                self.mark = end;
                return true;
            }
            if start.elapsed() >= patience {
                return false;
            }
            std::thread::sleep(LOOK_AGAIN);
        }
    }

    fn shell(&self, command: &str) -> Command {
        let mut shell = plain(Path::new("sh"));
        let path = std::env::var_os("PATH").unwrap_or_default();
        let bin = self.folder.path().join(".bin");
        let path = std::env::join_paths([bin].into_iter().chain(std::env::split_paths(&path)));
        shell.args(["-c", command]).current_dir(self.folder.path()).env("PATH", path.unwrap());
        shell.stdin(Stdio::null());
        shell.stdout(self.screen.try_clone().unwrap()).stderr(self.screen.try_clone().unwrap());
        shell
    }

    fn len(&self) -> u64 {
        self.screen.metadata().unwrap().len()
    }

    /// What is on the screen since the last command, and where that ends.
    fn shown(&mut self) -> (Vec<String>, u64) {
        let mut octets = Vec::new();
        self.screen.seek(SeekFrom::Start(self.mark)).unwrap();
        let len = self.screen.read_to_end(&mut octets).unwrap();
        (shown(&String::from_utf8_lossy(&octets)), self.mark + u64::try_from(len).unwrap())
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        for child in &mut self.background {
            // what it started, too
            let _ = kill_process_group(Pid::from_child(child), Signal::KILL);
            let _ = child.wait();
        }
    }
}

/// Waits for the end of a command.
fn finish(child: &mut Child, command: &str) {
    let start = Instant::now();
    while child.try_wait().unwrap().is_none() {
        if start.elapsed() > COMMAND_PATIENCE {
            let _ = child.kill();
            panic!("`{command}` does not end");
        }
        std::thread::sleep(LOOK_AGAIN);
    }
}

/// The programs that documents call.
fn bin(folder: &Path) {
    fs::create_dir(folder).unwrap();
    symlink(env!("CARGO_BIN_EXE_zonesmith"), folder.join("zonesmith")).unwrap();
    let (root, cargo) = (root().display(), env!("CARGO"));
    let script = format!(
        "#!/bin/sh\ncase \"$*\" in\n\"run --release -- \"*) shift 3; exec zonesmith \"$@\" ;;\n\
         *) cd '{root}' && exec '{cargo}' \"$@\" ;;\nesac\n"
    );
    let file = folder.join("cargo");
    fs::write(&file, script).unwrap();
    fs::set_permissions(&file, Permissions::from_mode(0o755)).unwrap();
}

//----------- Tests of the above ---------------------------------------------------------------------

#[test]
fn blocks_are_read_as_commands_and_what_they_show() {
    let text = "```sh\n$ no\n```\n```console\n$ a \\\n> b\nout\n> out\n$ c\n```\n```console,ignore\n$ no\n```";
    let step = |line, command: &str, expected: &[&str]| {
        let expected = expected.iter().map(ToString::to_string).collect();
        Step { line, command: command.into(), expected }
    };
    assert_eq!(steps(text), [step(5, "a \\\nb", &["out", "> out"]), step(9, "c", &[])]);
}

#[test]
fn expectations_leave_open_what_they_say_and_nothing_else() {
    let text = shown("\nserial 41\n\nid: 7, udp\nend\n\n");
    for good in ["...", "...\nend", "serial 41\n\nid: [..], udp\nend", "serial 41\n...\nend\n…"] {
        assert!(matches(&shown(good), &text), "{good}");
    }
    for bad in ["", "serial 41", "...\nid: 7", "serial 41\nid: 7, udp\nend", "...\n[..]x[..]\nend"]
    {
        assert!(!matches(&shown(bad), &text), "{bad}");
    }
}

#[test]
fn tabs_are_columns() {
    assert_eq!(columns("a\tb\t\tc"), format!("a{}b{}c", " ".repeat(7), " ".repeat(15)));
}
