//! The thread: waits until something happens or is due, takes a step, and tells the loop.
//!
//! It never makes the loop wait. Changes go through a channel, then the loop is woken; what the loop
//! lets go of comes back to be freed here. Whatever arrived while a step was taken is taken at once.

use super::library::Library;
use super::outlet::Outlet;
use super::{Command, Step};
use crate::zone::set::Change;
use std::io;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::{Builder, JoinHandle};
use std::time::Instant;

/// The priority that is furthest below that of others, see setpriority(2).
#[cfg(target_os = "linux")]
const LOWEST_PRIORITY: i32 = 19;

/// Wakes the loop.
pub type Wake = Box<dyn Fn() + Send>;

/// The running worker, as the loop sees it.
#[derive(Debug)]
pub struct Running {
    /// What it is told.
    pub commands: Sender<Command>,
    /// What the loop changes, in the order of the changes.
    pub changes: Receiver<Vec<Change>>,
    /// Ends after [`Command::Quit`], or once nobody takes the changes any more.
    pub thread: JoinHandle<()>,
}

/// Starts the thread that keeps the zones as the files are. `wake` is called after each change.
///
/// # Errors
/// The system gives no thread.
pub fn start(library: Library, wake: Wake) -> io::Result<Running> {
    let (changes, taken) = channel();
    let commands = library.commands.0.clone();
    let thread = Builder::new()
        .name("reload".into())
        .spawn(move || run(library, Outlet::new(changes, wake)))?;
    Ok(Running { commands, changes: taken, thread })
}

fn run(mut library: Library, mut outlet: Outlet) {
    yield_to_loop();
    outlet.start(&library);
    loop {
        let mut step = Step::default();
        if !wait(&mut library, &mut step, &mut outlet) || !outlet.tell(&library, step) {
            break;
        }
        let step = library.step(Instant::now());
        if !outlet.tell(&library, step) {
            break;
        }
    }
    library.retry_serials(&mut Step::default());
    outlet.end();
}

/// Lets the loop go first where both want one core. To the kernel a thread is a process of its own here;
/// elsewhere this would hold back the loop as well.
fn yield_to_loop() {
    #[cfg(target_os = "linux")]
    if let Err(error) = rustix::process::setpriority_process(None, LOWEST_PRIORITY) {
        log::debug!("reading zone files does not yield to answering: {error}");
    }
}

/// Waits for the next step and carries out all commands that are there. False to end.
fn wait(library: &mut Library, step: &mut Step, outlet: &mut Outlet) -> bool {
    let mut next = match next(library) {
        Ok(command) => Some(command),
        Err(RecvTimeoutError::Timeout) => None,
        Err(RecvTimeoutError::Disconnected) => return false,
    };
    while let Some(command) = next {
        match command {
            Command::ReloadAll => library.reload_all(Instant::now(), step),
            Command::Applied { messages, replaced } => {
                outlet.applied(messages);
                drop(replaced);
            }
            Command::Choose(choices) => library.choose(choices, step),
            Command::Look => {}
            Command::Quit => return false,
        }
        next = library.commands.1.try_recv().ok();
    }
    true
}

/// The next command, if one comes before a step is due.
fn next(library: &Library) -> Result<Command, RecvTimeoutError> {
    let (now, commands) = (Instant::now(), &library.commands.1);
    match library.deadline(now) {
        Some(deadline) => commands.recv_timeout(deadline.saturating_duration_since(now)),
        None => commands.recv().map_err(|_| RecvTimeoutError::Disconnected),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reload::reading::Reader;
    use crate::reload::testing::{read, shown, wait_until};
    use crate::reload::{Options, Sources, WatchMode};
    use crate::zone::set::ZoneSet;
    use std::fs::{self, File};
    use std::io::Write;
    use std::os::unix::fs::symlink;
    use std::path::PathBuf;
    use std::time::Duration;
    use tempfile::TempDir;

    /// A folder, a worker that watches it, and what the loop would serve.
    struct Lab {
        dir: TempDir,
        running: Running,
        woken: Receiver<()>,
        zones: ZoneSet,
    }

    impl Lab {
        /// Files with their texts, of which those in `z` are served.
        fn new(files: &[(&str, &str)]) -> Lab {
            Lab::with(files, WatchMode::Notify, Duration::from_millis(300))
        }

        fn with(files: &[(&str, &str)], watch: WatchMode, remove_after: Duration) -> Lab {
            let dir = tempfile::tempdir().unwrap();
            for (file, text) in files {
                let path = dir.path().join(file);
                fs::create_dir_all(path.parent().unwrap()).unwrap();
                fs::write(path, text).unwrap();
            }
            Lab::over(dir, watch, remove_after)
        }

        fn over(dir: TempDir, watch: WatchMode, remove_after: Duration) -> Lab {
            let sources = Sources { paths: vec![dir.path().join("z")], ..Sources::default() };
            let options = Options { watch, remove_after, ..Options::default() };
            let (library, step) = Library::load_all_with(read, sources, options);
            Lab::started(dir, library, step)
        }

        fn started(dir: TempDir, library: Library, step: Step) -> Lab {
            let (wake, woken) = channel();
            let running =
                start(library, Box::new(move || wake.send(()).unwrap_or_default())).unwrap();
            let mut zones = ZoneSet::default();
            step.changes.into_iter().for_each(|change| drop(zones.apply(change)));
            Lab { dir, running, woken, zones }
        }

        fn path(&self, file: &str) -> PathBuf {
            self.dir.path().join(file)
        }

        fn write(&self, file: &str, text: &str) {
            fs::write(self.path(file), text).unwrap();
        }

        fn rename(&self, from: &str, to: &str) {
            fs::rename(self.path(from), self.path(to)).unwrap();
        }

        fn now(&mut self, apex: &str) -> String {
            while self.woken.try_recv().is_ok() {}
            for changes in self.running.changes.try_iter() {
                let replaced = changes.into_iter().filter_map(|change| self.zones.apply(change));
                let applied = Command::Applied { messages: 1, replaced: replaced.collect() };
                self.running.commands.send(applied).unwrap();
            }
            shown(&self.zones, apex)
        }

        fn wait(&mut self, apex: &str, slot: &str) {
            let what = format!("{apex} becomes {slot:?}");
            wait_until(&what, || self.now(apex) == slot);
        }

        /// Changes another zone and waits until that is served: what happened to the first one
        /// before has been seen by then, and what it is served as has not changed.
        fn stays(&mut self, apex: &str, slot: &str) {
            static SERIAL: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(900);
            let serial = SERIAL.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            fs::create_dir_all(self.path("z")).unwrap();
            self.write("z/probe.zone", &good(serial));
            self.wait("probe.", &format!("live {serial}"));
            assert_eq!(self.now(apex), slot);
        }

        fn end(self) {
            self.running.commands.send(Command::Quit).unwrap();
            self.running.thread.join().unwrap();
        }
    }

    fn good(serial: u32) -> String {
        format!("{serial} 1\nend")
    }

    const TWO: &[(&str, &str)] = &[("z/a.zone", "1 1\nend"), ("z/b.zone", "1 1\nend")];

    #[test]
    #[cfg(target_os = "linux")]
    fn the_worker_yields_and_the_thread_that_started_it_does_not() {
        let before = rustix::process::getpriority_process(None).unwrap();
        let seen = std::thread::spawn(|| {
            yield_to_loop();
            rustix::process::getpriority_process(None).unwrap()
        });
        assert_eq!(seen.join().unwrap(), LOWEST_PRIORITY);
        assert_eq!(rustix::process::getpriority_process(None).unwrap(), before);
    }

    /// A change within the clock tick in which the file was made leaves the same size and times.
    #[test]
    fn what_changes_between_the_first_reading_and_the_watch_is_served() {
        for watch in [WatchMode::Notify, WatchMode::Poll] {
            let dir = tempfile::tempdir().unwrap();
            fs::create_dir(dir.path().join("z")).unwrap();
            fs::write(dir.path().join("z/a.zone"), good(1)).unwrap();
            let sources = Sources { paths: vec![dir.path().join("z")], ..Sources::default() };
            let options = Options { watch, ..Options::default() };
            let read_and_change: Reader = |path, folders, known| {
                let loaded = read(path, folders, known);
                let text = fs::read_to_string(path).unwrap();
                if text == good(1) {
                    fs::write(path, good(2)).unwrap();
                }
                loaded
            };
            let (library, step) = Library::load_all_with(read_and_change, sources, options);
            let mut lab = Lab::started(dir, library, step);
            assert_eq!(lab.now("a."), "live 1");
            lab.wait("a.", "live 2");
            lab.end();
        }
    }

    #[test]
    fn saved_by_renaming_by_rewriting_and_by_removing_first() {
        let mut lab = Lab::new(TWO);
        lab.write("z/.a.zone.tmp", &good(2));
        lab.rename("z/.a.zone.tmp", "z/a.zone");
        lab.wait("a.", "live 2");
        lab.write("z/a.zone", &good(3));
        lab.wait("a.", "live 3");
        fs::remove_file(lab.path("z/a.zone")).unwrap();
        lab.write("z/a.zone", &good(4));
        lab.wait("a.", "live 4");
        lab.write("z/tmp", &good(5));
        fs::remove_file(lab.path("z/a.zone")).unwrap();
        fs::hard_link(lab.path("z/tmp"), lab.path("z/a.zone")).unwrap();
        lab.wait("a.", "live 5");
        lab.end();
    }

    #[test]
    fn while_a_writer_pauses_the_old_version_is_served() {
        let mut lab = Lab::new(TWO);
        let mut file = File::create(lab.path("z/a.zone")).unwrap();
        lab.stays("a.", "live 1");
        for piece in ["2 1\nend", "\ninclude /nowhere", "\n"] {
            file.write_all(piece.as_bytes()).unwrap();
            lab.stays("a.", "live 1");
        }
        lab.running.commands.send(Command::ReloadAll).unwrap();
        lab.stays("a.", "live 1");
        drop(file);
        lab.wait("a.", "stale 1");
        lab.write("z/a.zone", &good(2));
        lab.wait("a.", "live 2");
        lab.end();
    }

    #[test]
    fn new_files_are_served_and_half_ones_answer_with_a_failure() {
        let mut lab = Lab::new(TWO);
        lab.write("z/c.zone", &good(1));
        lab.wait("c.", "live 1");
        lab.write("z/d.zone", "1 1\nen");
        lab.wait("d.", "broken");
        lab.write("z/d.zone", &good(1));
        lab.wait("d.", "live 1");
        let mut file = File::create(lab.path("z/e.zone")).unwrap();
        lab.stays("e.", "");
        file.write_all(good(1).as_bytes()).unwrap();
        lab.stays("e.", "");
        drop(file);
        lab.wait("e.", "live 1");
        lab.end();
    }

    #[test]
    fn a_removed_file_ends_its_zone_where_others_are_left() {
        let mut lab = Lab::new(TWO);
        fs::remove_file(lab.path("z/a.zone")).unwrap();
        lab.wait("a.", "");
        assert_eq!(lab.now("b."), "live 1");
        lab.write("z/a.zone", &good(2));
        lab.wait("a.", "live 2");
        lab.end();
    }

    #[test]
    fn a_folder_that_is_moved_away_and_back_is_watched_as_before() {
        let mut lab = Lab::new(TWO);
        lab.rename("z", "away");
        lab.running.commands.send(Command::ReloadAll).unwrap();
        lab.write("away/a.zone", &good(7));
        lab.rename("away", "z");
        lab.wait("a.", "live 7");
        lab.write("z/a.zone", &good(8));
        lab.wait("a.", "live 8");
        lab.end();
    }

    #[test]
    fn a_folder_that_is_replaced_is_watched_in_its_new_place() {
        let mut lab =
            Lab::new(&[TWO, &[("new/a.zone", "2 1\nend"), ("new/b.zone", "2 1\nend")]].concat());
        lab.rename("z", "old");
        lab.rename("new", "z");
        lab.wait("a.", "live 2");
        lab.write("old/a.zone", &good(8));
        lab.write("z/b.zone", &good(9));
        lab.wait("b.", "live 9");
        lab.stays("a.", "live 2");
        lab.end();
    }

    #[test]
    fn symlinks_that_flip_as_in_mounted_config_maps() {
        let dir = tempfile::tempdir().unwrap();
        for (folder, serial) in [("z/..1", 1), ("z/..2", 2)] {
            fs::create_dir_all(dir.path().join(folder)).unwrap();
            fs::write(dir.path().join(folder).join("a.zone"), good(serial)).unwrap();
        }
        let link = |to: &str, at: &str| symlink(to, dir.path().join(at)).unwrap();
        link("..1", "z/..data");
        link("..data/a.zone", "z/a.zone");
        link("..2", "z/..data_tmp");
        let mut lab = Lab::over(dir, WatchMode::Notify, Duration::from_millis(300));
        assert_eq!(lab.now("a."), "live 1");
        lab.rename("z/..data_tmp", "z/..data");
        lab.wait("a.", "live 2");
        lab.write("z/..2/a.zone", &good(3));
        lab.wait("a.", "live 3");
        lab.end();
    }

    #[test]
    fn a_change_in_an_included_file_changes_the_zone() {
        let dir = tempfile::tempdir().unwrap();
        let include = dir.path().join("inc/number");
        fs::create_dir_all(include.parent().unwrap()).unwrap();
        fs::create_dir(dir.path().join("z")).unwrap();
        fs::write(&include, "10").unwrap();
        let text = format!("1 1\ninclude {}\nend", include.display());
        fs::write(dir.path().join("z/a.zone"), text).unwrap();
        let mut lab = Lab::over(dir, WatchMode::Notify, Duration::from_millis(300));
        assert_eq!(lab.now("a."), "live 11");
        fs::write(&include, "20").unwrap();
        lab.wait("a.", "live 21");
        let mut writer = File::create(&include).unwrap();
        lab.running.commands.send(Command::ReloadAll).unwrap();
        lab.stays("a.", "live 21");
        writer.write_all(b"30").unwrap();
        drop(writer);
        lab.wait("a.", "live 31");
        fs::remove_file(&include).unwrap();
        lab.wait("a.", "stale 31");
        fs::write(&include, "40").unwrap();
        lab.wait("a.", "live 41");
        lab.end();
    }

    #[test]
    fn a_reader_that_panics_costs_one_file_only() {
        let mut lab = Lab::new(TWO);
        lab.write("z/a.zone", "panic");
        lab.wait("a.", "stale 1");
        lab.stays("b.", "live 1");
        lab.end();
    }

    #[test]
    fn a_burst_of_events_ends_in_what_the_files_hold() {
        let mut lab = Lab::new(TWO);
        for serial in 2..=5_000 {
            lab.write("z/a.zone", &good(serial));
        }
        lab.wait("a.", "live 5000");
        lab.end();
    }

    #[test]
    fn without_events_the_sweep_finds_it() {
        let mut lab = Lab::with(TWO, WatchMode::Poll, Duration::from_millis(300));
        lab.write("z/a.zone", &good(2));
        lab.wait("a.", "live 2");
        fs::remove_file(lab.path("z/a.zone")).unwrap();
        lab.wait("a.", "");
        lab.end();
    }

    #[test]
    fn switched_off_only_a_command_has_files_read() {
        let mut lab = Lab::with(TWO, WatchMode::Off, Duration::from_millis(300));
        lab.write("z/a.zone", &good(2));
        lab.running.commands.send(Command::ReloadAll).unwrap();
        lab.wait("a.", "live 2");
        lab.write("z/a.zone", &good(3));
        fs::remove_file(lab.path("z/b.zone")).unwrap();
        lab.write("z/c.zone", &good(3));
        assert_eq!(lab.now("a."), "live 2");
        lab.running.commands.send(Command::ReloadAll).unwrap();
        lab.wait("a.", "live 3");
        lab.wait("b.", "");
        lab.end();
    }
}
