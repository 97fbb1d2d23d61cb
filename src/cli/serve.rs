//! `zonesmith serve`: sockets first, as long as the right to port 53 lasts, then the sandbox, then
//! the zones, then the loop.

use super::config::{self, ConfigFile, Wanted};
use super::zone_tables::ZoneRules;
use super::{
    Choice, CookieChoice, EXIT_CANNOT_RUN, EXIT_COMMAND_LINE, EXIT_ZONES, Serve, Watch, delegation,
    guards, keys, live, transfers,
};
use crate::answer::identity::Identity;
use crate::diag::{Severity, render};
use crate::guard::acl::Acl;
use crate::guard::cookie::Cookies;
use crate::guard::rrl::Limiter;
use crate::guard::tsig::Keys;
use crate::reload::folder::Folder;
use crate::reload::library::Library;
use crate::reload::notice::Notice;
use crate::reload::worker::Running;
use crate::reload::{Choices, Command, Copies, Options, Policies, Sources, Step, Told, WatchMode};
use crate::respond::State;
use crate::sandbox::{self, Allowed, Fence, Plan, Replaced};
use crate::server::listen::{self, Listener};
use crate::server::privileges::{self, Became};
use crate::server::{self, Server, Settings, secrets};
use crate::transfer::secondaries::Secondaries;
use crate::wire::DNS_PORT;
use std::collections::HashSet;
use std::ffi::OsString;
use std::fmt::Display;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Up to so many zones are named at start; beyond, they are counted.
const ZONES_SHOWN_MAX: usize = 20;
/// The folder that is served when none is named.
const ZONES_DEFAULT: &str = "zones";
/// Where systemd says which folder is a service's own (`StateDirectory=`, systemd.exec(5)).
const STATE_DIRECTORY: &str = "STATE_DIRECTORY";

/// Why the server does not run: an exit code, and what to do about it. It has been logged.
pub(super) struct Stopped(pub(super) u8);

/// Serves as the words of the command line say, and the configuration, until told to end.
pub(super) fn run(typed: &[OsString]) -> ExitCode {
    if !server::give_back_large_blocks() {
        log::debug!("memory of old versions of large zones may stay with the program");
    }
    match wanted(typed).and_then(|wanted| try_run(wanted, typed)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(Stopped(code)) => ExitCode::from(code),
    }
}

/// What both say together.
fn wanted(typed: &[OsString]) -> Result<Wanted, Stopped> {
    config::join(typed).map_err(|report| {
        log::error!("the configuration cannot be used\n{}", render::report(&report, false));
        Stopped(EXIT_COMMAND_LINE)
    })
}

fn try_run(wanted: Wanted, typed: &[OsString]) -> Result<(), Stopped> {
    let Wanted { serve, zone_rules, file } = wanted;
    let serve = &*serve;
    if let Some(file) = &file {
        log::info!("configuration: {}", file.path.display());
    }
    let sources = sources(serve);
    let listeners = bind(serve)?;
    drop_privileges(serve.user.as_deref(), &sources)?;
    let copies = copies(serve, &sources)?;
    // no zone file is read and no thread is started before
    enter_sandbox(serve, &sources, copies.as_ref(), file.as_ref());
    let cookies = cookies(serve)?;
    let seen = live::seen(serve, file.as_ref());
    let mut settings = settings(serve, zone_rules)?;
    let (secondaries, seed) = (std::mem::take(&mut settings.secondaries), settings.seed);
    let choices = std::mem::take(&mut settings.choices);
    let (library, mut state) = load(serve, &sources, copies, choices)?;
    state.cookies = cookies;
    let limits = settings.apply(&mut state);
    let addresses: Vec<_> = listeners.iter().map(|listener| listener.local).collect();
    let server = Server::new(listeners, state, limits);
    let mut server = server.map_err(|error| cannot_run(&error, ""))?;
    let watched = live::watch(serve, typed.to_vec(), file, seen, &mut server);
    watched.map_err(|error| cannot_run(&error, ""))?;
    server.announce_to(secondaries, seed);
    serve_zones(server, library, &addresses)
}

/// What can be changed later, too, with the keys as their files have them. Why there are none has been
/// logged.
pub(super) fn settings(serve: &Serve, zone_rules: ZoneRules) -> Result<Settings, Stopped> {
    let (acl, transfer_acl) = acls(serve)?;
    let keys = keys::read(serve.guards.key_files())?;
    let (secondaries, told) = secondaries(serve, &zone_rules, &keys)?;
    let history = transfer_acl.is_some() || zone_rules.acls.has_transfers();
    let serials = Policies { server: serve.serials.policy(), zones: zone_rules.serials };
    let settings = Settings {
        acl,
        transfer_acl,
        zone_acls: zone_rules.acls,
        limiter: limiter(serve)?,
        policy: serve.answers.policy(),
        identity: identity(serve),
        limits: serve.guards.limits(),
        seed: if secondaries.is_any() { seed()? } else { 0 },
        secondaries,
        choices: Choices { serials, groups: zone_rules.groups, history, told },
        keys,
    };
    keys::check_named(settings.with_keys(), &settings.keys)?;
    Ok(settings)
}

/// The paths of the command line.
fn sources(serve: &Serve) -> Sources {
    let mut paths = serve.paths.clone();
    if paths.is_empty() {
        paths.push(PathBuf::from(ZONES_DEFAULT));
    }
    serve.zones.sources(paths)
}

/// Binds what was asked for, or port 53 on every address that can be had.
fn bind(serve: &Serve) -> Result<Vec<Listener>, Stopped> {
    if !serve.listen.is_empty() {
        let mut addresses = serve.listen.clone();
        let mut seen = HashSet::new();
        addresses.retain(|address| address.port() == 0 || seen.insert(*address));
        return listen::bind(&addresses).map_err(|error| cannot_run(&error, &error.advice()));
    }
    let bound = listen::bind_all(DNS_PORT);
    let (listeners, left_out) = bound.map_err(|error| cannot_run(&error, &error.advice()))?;
    for error in left_out {
        log::warn!("left out: {error}");
    }
    Ok(listeners)
}

/// Gives up root, if that is what we are.
fn drop_privileges(user: Option<&str>, sources: &Sources) -> Result<(), Stopped> {
    let stop = |error: privileges::PrivilegeError| cannot_run(&error, "");
    let planned = privileges::plan(user, &sources.paths).map_err(stop)?;
    let Some(identity) = planned else { return Ok(()) };
    let mut paths = sources.paths.clone();
    paths.extend(sources.list_names().files.iter().map(|file| file.path.to_path_buf()));
    match privileges::become_user(identity, &paths).map_err(stop)? {
        Became::User(identity) => log::info!("running as {}", identity.name),
        Became::Unchanged { identity, unreadable } => log::warn!(
            "running as root still: {} cannot read {}\n  let that user read it (chown, chmod), or \
             name one that can with `--user`",
            identity.name,
            unreadable.display()
        ),
    }
    Ok(())
}

/// The folder that keeps the last good versions, if there is to be one.
fn copies(serve: &Serve, sources: &Sources) -> Result<Option<Copies>, Stopped> {
    let given = std::env::var_os(STATE_DIRECTORY).filter(|given| !given.is_empty());
    let given = given.map(|given| std::env::split_paths(&given).next().unwrap_or_default());
    let Some(folder) = serve.state.clone().or(given) else { return Ok(None) };
    let opened = Copies::open(&folder).map_err(|error| {
        let what = format!("--state {}: cannot be written: {error}", folder.display());
        cannot_run(
            &what,
            "let the user that the server runs as write there, or name another folder",
        )
    })?;
    if sources.include(&folder) {
        let what = format!(
            "--state {}: zone files are served from there, and copies of zones would take their place",
            folder.display()
        );
        cannot_run(&what, "name a folder that is the server's alone");
        return Err(Stopped(EXIT_COMMAND_LINE));
    }
    Ok(Some(opened))
}

/// Gives up what the server does not need, and says so.
fn enter_sandbox(
    serve: &Serve,
    sources: &Sources,
    copies: Option<&Copies>,
    file: Option<&ConfigFile>,
) {
    if serve.no_sandbox {
        return log::warn!("no sandbox: whoever takes over the server has all that its user has");
    }
    let mut plan = readable(serve, sources);
    file.into_iter().for_each(|file| plan.allow(&file.path));
    copies.into_iter().for_each(|copies| plan.allow_writing(copies.folder()));
    let entered = sandbox::enter(&plan);
    match entered.fence {
        Fence::Whole | Fence::Part(_) => {
            log::info!("sandbox: {}", entered.fence);
            plan.written().for_each(|folder| {
                log::info!("sandbox: writes copies of zones to {}", folder.display());
            });
            plan.allowed().for_each(|allowed| tell_allowed(&allowed));
        }
        Fence::Absent | Fence::Off => log::warn!("sandbox: {}", entered.fence),
    }
    entered.faults.iter().for_each(|fault| log::warn!("sandbox: {fault}"));
}

/// Says what may be read. Many editors replace a file when they save it, so whoever has one where that
/// is not seen is told unasked.
fn tell_allowed(Allowed { path, replaced }: &Allowed) {
    let (is_file, path) = (path.is_file(), path.display());
    match replaced {
        Replaced::Readable => log::debug!("sandbox: reads {path} and below"),
        Replaced::Unreadable if is_file => log::warn!(
            "sandbox: {path} lies where too much else does: a file that replaces it, as editors do, is \
             read after a restart only\n  put it into a folder of its own"
        ),
        Replaced::Unreadable => log::debug!(
            "sandbox: reads {path}; if something else takes its place, after a restart only"
        ),
    }
}

/// What the server reads: zone files wherever links lead to, what they include, keys, and secrets.
fn readable(serve: &Serve, sources: &Sources) -> Plan {
    let (mut plan, listing) = (Plan::default(), sources.list_names());
    let links = listing.files.iter().filter(|file| file.apart).map(|file| &*file.path);
    let folders = listing.folders.keys().map(PathBuf::as_path);
    let typed = sources.paths.iter().chain(&serve.cookie_secret).map(PathBuf::as_path);
    let typed = typed.chain(serve.guards.key_files().iter().map(PathBuf::as_path));
    typed.chain(folders).chain(links).for_each(|path| plan.allow(path));
    sources.include_paths.iter().for_each(|folder| plan.allow_folder(folder));
    plan
}

/// What makes and checks cookies, if they are wanted.
fn cookies(serve: &Serve) -> Result<Option<Cookies>, Stopped> {
    if serve.cookies == CookieChoice::Off {
        return Ok(None);
    }
    let secrets = match &serve.cookie_secret {
        Some(path) => secrets::read(path).map_err(|error| cannot_run(&error, error.advice()))?,
        None => secrets::random().map_err(|error| {
            cannot_run(&error, "name a file of secrets with `--cookie-secret`, or `--cookies off`")
        })?,
    };
    Ok(Some(Cookies { required: serve.cookies == CookieChoice::Required, secrets }))
}

/// Who may ask, and who may have whole zones.
fn acls(serve: &Serve) -> Result<(Acl, Option<Acl>), Stopped> {
    let access = serve.guards.access();
    let acl = access.ask().map_err(|error| {
        cannot_run(&error, guards::ONE_OF_BOTH);
        Stopped(EXIT_COMMAND_LINE)
    })?;
    Ok((acl, access.transfer()))
}

/// What limits answers over UDP, if that is wanted.
fn limiter(serve: &Serve) -> Result<Option<Limiter>, Stopped> {
    let Some(rates) = serve.guards.rates() else { return Ok(None) };
    let seed = secrets::random_octets().map_err(|error| {
        cannot_run(&error, "without randomness there is no limit: say so with `--rrl-rate 0`")
    })?;
    Ok(Some(Limiter::new(rates, seed)))
}

/// What the server tells about itself.
fn identity(serve: &Serve) -> Identity {
    Identity {
        nsid: serve.nsid.clone(),
        id: serve.identity.clone(),
        version: serve.version_text.clone(),
    }
}

/// Reads the zones for the first time.
fn load(
    serve: &Serve,
    sources: &Sources,
    copies: Option<Copies>,
    choices: Choices,
) -> Result<(Library, State), Stopped> {
    let options = Options {
        watch: match serve.watch {
            Watch::Notify => WatchMode::Notify,
            Watch::Poll => WatchMode::Poll,
            Watch::Off => WatchMode::Off,
        },
        remove_after: serve.remove_after,
        hold_damaged: serve.hold_damaged == Choice::Yes,
        copies,
        choices,
    };
    let (library, Step { changes, notices }) = Library::load_all(sources.clone(), options);
    let good = library.zones().filter(|holding| holding.zone.is_some()).count();
    tell(&notices, good > 0);
    if good == 0 {
        log::error!("{}", no_zone(sources));
        return Err(Stopped(EXIT_ZONES));
    }
    let mut state = State::new(serve.answers.policy());
    for change in changes {
        state.zones.apply(change);
    }
    log::info!("{}", count(good, state.zones.len() - good));
    Ok((library, state))
}

/// What was found at start: every fault, and every zone while there are few. Where nothing is served,
/// what folders lack is told at the end.
fn tell(notices: &[Notice], serving: bool) {
    let loaded = |notice: &&Notice| matches!(notice, Notice::Loaded { .. });
    let few = notices.iter().filter(loaded).count() <= ZONES_SHOWN_MAX;
    for notice in notices {
        match notice {
            Notice::Folder { .. } if !serving => {}
            Notice::Folder { folder, state } => tell_folder(folder, state),
            Notice::Loaded { report, .. }
                if !few
                    && report.gravest() <= Some(Severity::Note)
                    && !log::log_enabled!(log::Level::Debug) => {}
            _ => notice.log(),
        }
    }
}

/// What is said at start of a folder or path that gives no zone while others do: nothing was served
/// from it yet.
fn tell_folder(folder: &Path, state: &Folder) {
    let folder = folder.display();
    match state {
        Folder::Missing => log::warn!("{folder} is not there; it is served once it is"),
        Folder::Unreadable(why) => {
            log::warn!("{folder} cannot be read ({why}); it is served once it can");
        }
        Folder::Listed(_) => {
            log::warn!("{folder} holds no zone file; what is put there is served");
        }
    }
}

fn count(good: usize, broken: usize) -> String {
    let zones = |n: usize| if n == 1 { "1 zone".to_string() } else { format!("{n} zones") };
    let serving = format!("serving {}", zones(good));
    match broken {
        0 => serving,
        1 => format!("{serving}; 1 zone cannot be served and answers SERVFAIL"),
        _ => format!("{serving}; {broken} zones cannot be served and answer SERVFAIL"),
    }
}

/// Why there is nothing to serve.
pub(super) fn no_zone(sources: &Sources) -> String {
    let listing = sources.list_names();
    if !listing.files.is_empty() {
        return "no zone can be served: mend a file above and start again\n  \
                `zonesmith check` shows the same without starting the server"
            .into();
    }
    let paths: Vec<String> = sources
        .paths
        .iter()
        .map(|path| {
            let why = match listing.folders.get(path) {
                Some(Folder::Missing) => "is not there".to_string(),
                Some(Folder::Unreadable(why)) => format!("cannot be read: {why}"),
                Some(Folder::Listed(_)) | None => "holds no file named *.zone".to_string(),
            };
            format!("  {} {why}", path.display())
        })
        .collect();
    format!(
        "no zone files there\n{}\n  name a folder of *.zone files, or a zone file: `zonesmith serve \
         FOLDER`; `--recursive` looks into sub-folders, too",
        paths.join("\n")
    )
}

/// Runs the worker and the loop until the loop ends.
fn serve_zones(server: Server, library: Library, addresses: &[SocketAddr]) -> Result<(), Stopped> {
    let hint = delegation::hint(library.zones().filter_map(|held| held.zone), addresses);
    let waker = server.waker();
    let wake = Box::new(move || {
        if let Err(error) = waker.wake() {
            log::error!("changed zones are served late: the loop cannot be woken: {error}");
        }
    });
    let running = crate::reload::start(library, wake);
    let Running { commands, changes, thread } = running.map_err(|error| cannot_run(&error, ""))?;
    if let Some(hint) = hint {
        log::info!("{hint}");
    }
    // Said once signals are taken: whoever waits for this line may end us right after it.
    for address in addresses {
        log::info!("listening on {address} (UDP and TCP)");
    }
    let served = server.run(changes, commands.clone());
    let _ = commands.send(Command::Quit); // it may have ended by itself
    if thread.join().is_err() {
        log::error!("the thread that reads zone files had ended with a panic");
    }
    served.map(|_| ()).map_err(|error| cannot_run(&error, ""))
}

/// Who is told of changes, with the keys that are named; and in words.
fn secondaries(
    serve: &Serve,
    zone_rules: &ZoneRules,
    keys: &Keys,
) -> Result<(Secondaries, Told), Stopped> {
    let (server, zones) = (serve.transfers.said().unwrap_or_default(), &zone_rules.notified);
    let secondaries = Secondaries {
        server: transfers::secondaries(server, keys)?,
        zones: zones.try_map(|said| transfers::secondaries(said, keys))?,
    };
    let words = zones.try_map(|said| Ok(transfers::words(said)))?;
    Ok((secondaries, Told { server: transfers::words(server), zones: words }))
}

/// What makes ids that others cannot guess.
fn seed() -> Result<u64, Stopped> {
    let octets = secrets::random_octets().map_err(|error| {
        cannot_run(&error, "without randomness nobody is notified: leave out `--notify`")
    })?;
    Ok(u64::from_be_bytes(octets))
}

/// Tells why the server cannot run.
pub(super) fn cannot_run(error: &dyn Display, advice: &str) -> Stopped {
    let advice: String = advice.lines().map(|line| format!("\n  {line}")).collect();
    log::error!("{error}{advice}");
    Stopped(EXIT_CANNOT_RUN)
}
