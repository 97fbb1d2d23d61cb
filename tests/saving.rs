//! Each way of saving a file, as editors, tools and deployments do it, while questions are asked all the
//! time: no question is lost, none is answered from a half-written file, and after the saving the file is
//! what is served.
//!
//! Each way is a row of [`WAYS`] and a test of its own, with a folder, a server and somebody who asks for
//! three names in turn: one at the top of the file, one in its middle, one at its end. All have the same
//! last number in a version, so a part of a version shows: a name is missing, or an old answer follows a
//! new one. Every way is gone three times, for the first may have ended the watch. Emacs, VS Code and
//! JetBrains' editors are played by the system calls that they make.

#![allow(clippy::unwrap_used, reason = "what cannot be had in a test fails it")]

mod support;

use libtest_mimic::{Arguments, Trial};
use std::fs::{self, File, OpenOptions};
use std::io::{Seek, SeekFrom, Write};
use std::net::UdpSocket;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicUsize, Ordering};
use support::message::Message;
use support::peers;
use support::program::{folder, plain, zonesmith};
use support::query::Query;
use support::server::{DEADLINE, Server, wait_until};
use tempfile::TempDir;

/// How often each way is gone.
const ROUNDS: u8 = 3;
/// The first version; each round saves the next one.
const FIRST: u8 = 10;
/// Hosts in the middle of the file: it is written in several pieces by whatever tool.
const HOSTS: u16 = 600;

/// How a version is saved, and what that needs.
struct Way {
    name: &'static str,
    /// A program that may be missing.
    needs: Option<&'static str>,
    /// What is done in the base folder before the server starts.
    before: &'static str,
    save: Save,
}

enum Save {
    /// By a shell in the zones' folder: `$f` is the file there, `$new` a file with the new version, which
    /// may be taken away, `$n` the number of the version and `$o` that of the one before.
    Shell(&'static str),
    /// By system calls.
    Calls(fn(&Lab, &str)),
}

const fn shell(name: &'static str, script: &'static str) -> Way {
    Way { name, needs: None, before: "", save: Save::Shell(script) }
}

const fn program(name: &'static str, needs: &'static str, script: &'static str) -> Way {
    Way { name, needs: Some(needs), before: "", save: Save::Shell(script) }
}

const fn linked(name: &'static str, before: &'static str, script: &'static str) -> Way {
    Way { name, needs: None, before, save: Save::Shell(script) }
}

const fn calls(name: &'static str, save: fn(&Lab, &str)) -> Way {
    Way { name, needs: None, before: "", save: Save::Calls(save) }
}

const VIM: &str = "vim.tiny -u NONE -i NONE -n -es";
const GIT: &str =
    "git -c user.name=a -c user.email=a@example -c init.defaultBranch=main -c gc.auto=0";

const WAYS: &[Way] = &[
    // editors
    program("vim", "vim.tiny", "VIM -c '%!cat $new' -c wq $f"),
    program(
        "vim, backupcopy=yes",
        "vim.tiny",
        "VIM -c 'set backupcopy=yes' -c '%!cat $new' -c wq $f",
    ),
    program(
        "vim, backupcopy=no",
        "vim.tiny",
        "VIM -c 'set backupcopy=no' -c '%!cat $new' -c wq $f",
    ),
    program("vim, nowritebackup", "vim.tiny", "VIM -c 'set nowb' -c '%!cat $new' -c wq $f"),
    calls("emacs, first save of a session", emacs_first),
    calls("emacs, later saves", written_over),
    calls("vs code", written_over),
    calls("vs code, atomic", |lab, text| {
        lab.write("zones/example.zone.vsctmp", text);
        lab.rename("zones/example.zone.vsctmp", "zones/example.zone");
    }),
    calls("jetbrains", |lab, text| {
        lab.write("zones/example.zone___jb_tmp___", text);
        lab.rename("zones/example.zone", "zones/example.zone___jb_old___");
        lab.rename("zones/example.zone___jb_tmp___", "zones/example.zone");
        fs::remove_file(lab.path("zones/example.zone___jb_old___")).unwrap();
    }),
    calls("truncated by name, then opened", |lab, text| {
        let open = || OpenOptions::new().write(true).open(lab.path("zones/example.zone")).unwrap();
        open().set_len(0).unwrap();
        open().write_all(text.as_bytes()).unwrap();
    }),
    shell("sed -i", "sed -i \"s/192.0.2.$o\\$/192.0.2.$n/; s/admin $o/admin $n/\" $f"),
    // tools
    shell("mv", "mv $new $f"),
    shell("mv of a file with an old time", "touch -d 2001-02-03 $new; mv $new $f"),
    shell("mv from another file system", "cp $new /dev/shm/$$; mv /dev/shm/$$ $f"),
    shell("cp", "cp $new $f"),
    shell("cp -p of a file with an old time", "touch -d 2001-02-03 $new; cp -p $new $f"),
    shell(
        "cp of a file with a lower serial",
        "sed \"s/admin $n/admin $((99-n))/\" $new > ../x; cp ../x $f",
    ),
    shell("cp --remove-destination", "cp --remove-destination $new $f"),
    shell("install", "install -m 644 $new $f"),
    shell("ln -f", "ln -f $new $f"),
    shell("dd over it, 512 octets at a time", "dd if=$new of=$f bs=512 conv=notrunc status=none"),
    shell("tee", "tee $f < $new > /dev/null"),
    shell("> in pieces", "{ head -n 99; head -n 99; cat; } < $new > $f"),
    shell("tar -x", "cp $new ../$f; tar -C .. -cf - $f | tar -xf -"),
    program("rsync", "rsync", "rsync -I $new $f"),
    program("rsync -t, an old time", "rsync", "touch -d 2001-02-03 $new; rsync -It $new $f"),
    program("rsync --inplace", "rsync", "rsync -I --inplace --no-whole-file $new $f"),
    program(
        "git checkout of an older version",
        "git",
        "test -d .git || GIT init -q
         sed \"s/admin $n/admin $((99-n))/\" $new > ../older
         GIT update-index --add --cacheinfo 100644,$(GIT hash-object -w ../older),$f
         GIT commit -qm older
         GIT checkout -q HEAD -- $f",
    ),
    // slowly
    calls("truncated and written in slow pieces", |lab, text| {
        lab.slowly(File::create(lab.path("zones/example.zone")).unwrap(), text);
    }),
    calls("written over in slow pieces", |lab, text| {
        let file = OpenOptions::new().write(true).open(lab.path("zones/example.zone")).unwrap();
        lab.slowly(file, text);
    }),
    calls("removed and written in slow pieces", |lab, text| {
        fs::remove_file(lab.path("zones/example.zone")).unwrap();
        lab.slowly(File::create(lab.path("zones/example.zone")).unwrap(), text);
    }),
    calls("appended to", appended),
    calls("the disk is full half-way", disk_full),
    // gone for a while
    calls("deleted and back", |lab, text| {
        fs::remove_file(lab.path("zones/example.zone")).unwrap();
        lab.says("example.zone: holds example. no more");
        lab.write("zones/example.zone", text);
    }),
    calls("permission lost and regained", |lab, text| {
        lab.sh("chmod 000 $f");
        lab.says("example.zone: not loaded; example. goes on as of serial");
        lab.sh("chmod 644 $f");
        lab.write("zones/example.zone", text);
    }),
    calls("folder moved away and back", |lab, text| {
        lab.rename("zones", "away");
        lab.says("zones: is not there");
        lab.write("away/example.zone", text);
        lab.rename("away", "zones");
    }),
    calls("folder without permission for a while", |lab, text| {
        lab.sh("chmod 000 .");
        lab.sighup();
        lab.sh("chmod 755 .");
        lab.write("zones/example.zone", text);
    }),
    // deployments
    linked(
        "folder replaced",
        "",
        "cp -r . ../next; cp $new ../next/$f; cd ..; mv zones away$n; mv next zones",
    ),
    linked(
        "symlink of the file flipped",
        "mkdir v; mv zones/$f v/$o; ln -s ../v/$o zones/$f",
        "cp $new ../v/$n; ln -s ../v/$n .x; mv -T .x $f",
    ),
    linked(
        "file behind a symlink replaced",
        "mkdir v; mv zones/$f v; ln -s ../v/$f zones/$f",
        "mv $new ../v/$f",
    ),
    linked(
        "symlink of the folder flipped",
        "mv zones v$o; ln -s v$o zones",
        "cd ..; cp -r v$o v$n; cp $new v$n/$f; ln -s v$n x; mv -T x zones; rm -r v$o",
    ),
    linked(
        "..data of a mounted ConfigMap flipped",
        "cd zones; mkdir ..$o; mv *.zone ..$o; ln -s ..$o ..data; ln -s ..data/$f $f
         ln -s ..data/other.zone other.zone",
        "cp -r ..$o ..$n; cp $new ..$n/$f; ln -s ..$n ..data_tmp; mv -T ..data_tmp ..data; rm -r ..$o",
    ),
];

fn main() -> ExitCode {
    let trial = |way: &'static Way| {
        Trial::test(way.name, move || {
            try_way(way);
            Ok(())
        })
    };
    libtest_mimic::run(&Arguments::from_args(), WAYS.iter().map(trial).collect()).exit_code()
}

fn try_way(way: &Way) {
    if way.needs.is_some_and(|program| peers::find(program).is_none()) {
        return;
    }
    let lab = Lab::new(way.before);
    let ended = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let asker = scope.spawn(|| lab.ask_all_the_time(&ended));
        let saved = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            (FIRST + 1..=FIRST + ROUNDS).for_each(|version| lab.save(way, version));
        }));
        ended.store(true, Ordering::Relaxed);
        let asked = asker.join();
        saved.unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        assert!(asked.unwrap() > 0);
    });
}

//----------- Ways by system calls -------------------------------------------------------------------

fn written_over(lab: &Lab, text: &str) {
    lab.write("zones/example.zone", text);
}

/// The file becomes its own backup, and a new one is written; a link says that it is being edited.
fn emacs_first(lab: &Lab, text: &str) {
    let lock = lab.path("zones/.#example.zone");
    std::os::unix::fs::symlink("user@host.1:2", &lock).unwrap();
    lab.write("zones/#example.zone#", &text[..99]);
    lab.rename("zones/example.zone", "zones/example.zone~");
    lab.write("zones/example.zone", text);
    fs::remove_file(lab.path("zones/#example.zone#")).unwrap();
    fs::remove_file(lock).unwrap();
}

/// Each line that is appended is a version; the last one is the file of the new version.
fn appended(lab: &Lab, text: &str) {
    let append = |line: &str| {
        let file = OpenOptions::new().append(true).open(lab.path("zones/example.zone"));
        file.unwrap().write_all(line.as_bytes()).unwrap();
    };
    for last in 1..4 {
        append(&format!("extra{last} A 192.0.2.{last}\n"));
        lab.becomes(&format!("extra{last}.example."), &format!("192.0.2.{last}"));
    }
    lab.write("zones/example.zone", text);
}

/// The writer is stopped in the middle of a line, as a full disk stops it, by a limit on the file's size.
fn disk_full(lab: &Lab, text: &str) {
    lab.sh("(ulimit -f 9; cat $new > $f) 2>/dev/null || true");
    let half = fs::read_to_string(lab.path("zones/example.zone")).unwrap();
    assert!(text.starts_with(&half) && half.len() < text.len() && !half.ends_with('\n'));
    lab.says("example.zone: not loaded; example. goes on as of serial");
    lab.write("zones/example.zone", text);
}

//----------- The lab --------------------------------------------------------------------------------

/// A folder `zones` with two zones, and the server of it.
struct Lab {
    base: TempDir,
    server: Server,
    /// The version that is being saved, the one before being there until then.
    version: AtomicU8,
    /// How much of the log was there when the saving began.
    mark: AtomicUsize,
    probe: Mutex<u32>,
}

/// A version: a name at its top, in its middle and at its end have the address 192.0.2.`version`.
fn text(version: u8) -> String {
    let host = |n: u16| match n == HOSTS / 2 {
        true => format!("mid A 192.0.2.{version}\n"),
        false => format!("host{n} A 192.0.2.200\n"),
    };
    let hosts: String = (0..HOSTS).map(host).collect();
    format!(
        "$TTL 300\n@ SOA ns admin {version} 7200 900 1209600 300\n@ NS ns\nns A 192.0.2.201\n\
         first A 192.0.2.{version}\n{hosts}last A 192.0.2.{version}\n"
    )
}

fn small(serial: u32) -> String {
    format!("@ 60 SOA ns a {serial} 1 1 1 1\n@ 60 NS ns.b.\nwww 60 A 192.0.2.{}\n", serial % 200)
}

impl Lab {
    fn new(before: &str) -> Lab {
        let base = folder();
        fs::create_dir(base.path().join("zones")).unwrap();
        fs::write(base.path().join("zones/example.zone"), text(FIRST)).unwrap();
        fs::write(base.path().join("zones/other.zone"), small(1)).unwrap();
        run(before, base.path(), base.path(), FIRST + 1);
        let mut command = zonesmith();
        command.arg("serve").arg(base.path().join("zones"));
        let server = Server::start_as(command).unwrap();
        let (version, mark) = (AtomicU8::new(FIRST), AtomicUsize::new(0));
        Lab { base, server, version, mark, probe: Mutex::new(1) }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.base.path().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).unwrap();
    }

    fn rename(&self, from: &str, to: &str) {
        fs::rename(self.path(from), self.path(to)).unwrap();
    }

    fn sh(&self, script: &str) {
        let version = self.version.load(Ordering::Relaxed);
        run(script, &self.path("zones"), self.base.path(), version);
    }

    /// Saves a version, and waits until all of it is served.
    fn save(&self, way: &Way, version: u8) {
        self.mark.store(self.server.log().len(), Ordering::Relaxed);
        self.version.store(version, Ordering::Relaxed);
        self.write("new", &text(version));
        match way.save {
            Save::Shell(script) => self.sh(script),
            Save::Calls(save) => save(self, &text(version)),
        }
        for name in NAMES {
            self.becomes(name, &format!("192.0.2.{version}"));
        }
    }

    /// Writes in pieces. Before each next one the server has seen the last, and was told to read all
    /// files again: however long a pause is, it can mean no more.
    fn slowly(&self, mut file: File, text: &str) {
        file.seek(SeekFrom::Start(0)).unwrap();
        self.look();
        let mark = self.server.log().len(); // it may have been empty for long before it was opened
        for piece in text.as_bytes().chunks(text.len() / 4 + 1) {
            file.write_all(piece).unwrap();
            self.look();
            self.sighup();
        }
        let log = self.server.log();
        assert!(!log[mark..].contains("not loaded"), "half a file was read:\n{log}");
    }

    /// Has the server look at what happened: it has, once a change of the other zone is served.
    fn look(&self) {
        let mut serial = self.probe.lock().unwrap();
        *serial += 1;
        self.write("zones/.other", &small(*serial));
        self.rename("zones/.other", "zones/other.zone");
        self.becomes("www.other.", &format!("192.0.2.{}", *serial % 200));
    }

    fn sighup(&self) {
        let lines = || self.server.log().matches("reloaded: ").count();
        let before = lines();
        self.server.signal("HUP").unwrap();
        assert!(wait_until(|| lines() > before), "{}", self.server.log());
    }

    fn becomes(&self, name: &str, expected: &str) {
        let became = wait_until(|| self.ask(name) == expected);
        assert!(became, "{name}: {}, not {expected}\n{}", self.ask(name), self.server.log());
    }

    /// Waits for words in the log since the saving began.
    fn says(&self, words: &str) {
        let mark = self.mark.load(Ordering::Relaxed);
        let said = wait_until(|| self.server.log()[mark..].contains(words));
        assert!(said, "{words:?} is not in the log:\n{}", &self.server.log()[mark..]);
    }

    /// The address of a name, or the response code.
    fn ask(&self, name: &str) -> String {
        self.ask_from(&self.socket(), name, 1)
    }

    /// A socket for questions.
    fn socket(&self) -> UdpSocket {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        socket.connect(self.server.address).unwrap();
        socket.set_read_timeout(Some(DEADLINE)).unwrap();
        socket
    }

    /// Asked once: a question that is lost fails the test.
    fn ask_from(&self, socket: &UdpSocket, name: &str, id: u16) -> String {
        let mut query = Query::parse(&format!("{name} A")).unwrap().wire;
        query[..2].copy_from_slice(&id.to_be_bytes());
        socket.send(&query).unwrap();
        let mut answer = [0; 1232];
        let len = socket.recv(&mut answer).unwrap_or_else(|error| {
            panic!("{name}: no answer: {error}\n{}", self.server.log());
        });
        assert_eq!(answer[..2], query[..2], "an answer to another question");
        Message::decode(&answer[..len]).unwrap().told()
    }

    /// Asks for all names in turn until `ended`. Each answer must come, and be of the version before or
    /// of the one that is being saved, and of no older one than the answer before it. All are asked from one
    /// socket: a new one each time leaves the kernel millions to clean up, and when the memory that all
    /// UDP sockets may have (udp_mem) is full of those, it drops answers on arrival.
    fn ask_all_the_time(&self, ended: &AtomicBool) -> usize {
        let (socket, mut id) = (self.socket(), 0_u16);
        let (mut asked, mut last) = (0, FIRST);
        while !ended.load(Ordering::Relaxed) {
            for name in NAMES {
                id = id.wrapping_add(1);
                let answer = self.ask_from(&socket, name, id);
                let saving = self.version.load(Ordering::Relaxed);
                let version = answer.strip_prefix("192.0.2.").and_then(|last| last.parse().ok());
                let Some(version) = version.filter(|is| (last..=saving).contains(is)) else {
                    let log = self.server.log();
                    panic!("{name}: {answer}, after {last} and while {saving} is saved\n{log}");
                };
                (asked, last) = (asked + 1, version);
            }
        }
        asked
    }
}

const NAMES: [&str; 3] = ["first.example.", "mid.example.", "last.example."];

/// Runs a script for a version.
fn run(script: &str, folder: &Path, base: &Path, version: u8) {
    let script = script.replace("VIM", VIM).replace("GIT", GIT);
    let mut command: Command = plain(Path::new("/bin/sh"));
    command.args(["-euc", &script]).current_dir(folder);
    command.env("new", base.join("new")).env("f", "example.zone").env("HOME", base);
    command.env("n", version.to_string()).env("o", (version - 1).to_string());
    let done = command.output().unwrap();
    let said = String::from_utf8_lossy(&done.stderr);
    assert!(done.status.success(), "{script}\n{said}");
}
