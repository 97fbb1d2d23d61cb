//! The sandbox: what may the process still do once it has its sockets?
//!
//! It answers over sockets that it has and reads zone files. [`enter`] gives up the rest for good,
//! so that who takes over the process through a fault in it has taken little:
//!
//! - Landlock (Linux 5.13 and newer): files are opened only to be read, and only below the folders
//!   of a [`Plan`], which may name one to write to; no program is started; no TCP socket is bound or connected (Linux 6.7); no
//!   process outside is sent a signal or reached by an abstract socket (Linux 6.12).
//! - No new privileges: a set-user-ID program gives nothing.
//! - Capabilities: none. Root that stays root, because only root can read the zones, keeps the one
//!   to read.
//! - No core file and no debugger, to which the secrets behind cookies would be open; no memory
//!   locked or queued.
//!
//! The kernel binds the thread that asks and those that it starts later. So this is done while there
//! is one thread, before the first file is read. What a kernel lacks is said and gone without.
//!
//! A rule of Landlock holds for a folder itself, whatever it is called later. So a folder that takes
//! the place of another is readable if what holds them both is allowed: [`Plan`] sees to that.

mod plan;

pub use plan::{Allowed, Plan, Replaced};

use landlock::{
    ABI, Access, AccessFs, AccessNet, BitFlags, LandlockStatus, PathBeneath, PathFd,
    RestrictionStatus, Ruleset, RulesetAttr, RulesetCreated, RulesetCreatedAttr, RulesetError,
    RulesetStatus, Scope,
};
use rustix::process::{
    DumpableBehavior, Resource, Rlimit, geteuid, set_dumpable_behavior, setrlimit,
};
use rustix::thread::{CapabilitySet, CapabilitySets, set_capabilities, set_no_new_privs};
use std::fmt;
use std::io::{self, ErrorKind};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

/// What is asked for at most: everything that Landlock could forbid in Linux 6.12. A newer kernel
/// forbids no more than this, until somebody has tried what that does to the server.
const NEWEST: ABI = ABI::V6;
/// The Landlock that has all of it.
const NEWEST_NUMBER: i32 = NEWEST as i32;
/// What is done without: a core file (this limit does not hold for one that a program takes),
/// locked memory, message queues.
const UNUSED: [Resource; 3] = [Resource::Core, Resource::Memlock, Resource::Msgqueue];

/// What to do about a file that [`refuses`] is about.
pub const ADVICE: &str = "the sandbox keeps the server to the folders that it found when it \
                          started, which `serve -v` lists, and this leads elsewhere: restart the \
                          server, or move the file into one of them";

/// Whether this process is in a sandbox that keeps it from files. The kernel knows, and tells nobody.
static FENCED: AtomicBool = AtomicBool::new(false);

/// What came of it.
#[derive(Debug)]
pub struct Entered {
    /// What is forbidden by Landlock.
    pub fence: Fence,
    /// What could not be done, each a line that says why.
    pub faults: Vec<String>,
}

/// How much of what Landlock could forbid is forbidden.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fence {
    /// All of it.
    Whole,
    /// What this kernel's Landlock has: its version.
    Part(i32),
    /// Nothing: the kernel is older, was built without it, or a filter of system calls forbids it.
    Absent,
    /// Nothing: the kernel has it, but it was not switched on at boot.
    Off,
}

/// Gives up what the server does not need, for this thread and those that it starts later.
pub fn enter(plan: &Plan) -> Entered {
    let mut faults = Vec::new();
    let mut try_to = |what: &str, done: io::Result<()>| {
        faults.extend(done.err().map(|error| format!("cannot {what}: {error}")));
    };
    try_to("give up new privileges", set_no_new_privs(true).map_err(Into::into));
    try_to("give up capabilities", drop_capabilities());
    let undumpable = set_dumpable_behavior(DumpableBehavior::NotDumpable);
    try_to("keep memory from core files", undumpable.map_err(Into::into));
    UNUSED.iter().for_each(|&unused| try_to("set a limit", forgo(unused)));
    let fence = fence(plan, &mut faults).unwrap_or_else(|error| {
        faults.push(format!("cannot use Landlock: {error}"));
        Fence::Absent
    });
    FENCED.store(matches!(fence, Fence::Whole | Fence::Part(_)), Ordering::Relaxed);
    Entered { fence, faults }
}

/// Whether it was the sandbox that kept `path` from being read with this error: it did, if the
/// permissions allow what the kernel refused.
pub fn refuses(path: &Path, error: &io::Error) -> bool {
    let readable = || rustix::fs::access(path, rustix::fs::Access::READ_OK).is_ok();
    keeps_to_folders() && error.kind() == ErrorKind::PermissionDenied && readable()
}

/// Whether this process is kept to the folders that it found when it started, whatever is called so now.
pub fn keeps_to_folders() -> bool {
    FENCED.load(Ordering::Relaxed)
}

/// Gives up every capability; root keeps that to read what belongs to others.
fn drop_capabilities() -> io::Result<()> {
    let kept = match geteuid().is_root() {
        true => CapabilitySet::DAC_READ_SEARCH & rustix::thread::capabilities(None)?.permitted,
        false => CapabilitySet::empty(),
    };
    let inheritable = CapabilitySet::empty();
    Ok(set_capabilities(None, CapabilitySets { effective: kept, permitted: kept, inheritable })?)
}

/// Limits a resource to nothing, for good.
fn forgo(resource: Resource) -> io::Result<()> {
    Ok(setrlimit(resource, Rlimit { current: Some(0), maximum: Some(0) })?)
}

/// Has Landlock forbid what the kernel's version of it can.
fn fence(plan: &Plan, faults: &mut Vec<String>) -> Result<Fence, RulesetError> {
    let mut ruleset = Ruleset::default()
        .handle_access(AccessFs::from_all(NEWEST))?
        .handle_access(AccessNet::from_all(NEWEST))?
        .scope(Scope::from_all(NEWEST))?
        .create()?;
    let read = AccessFs::ReadFile | AccessFs::ReadDir;
    let write = AccessFs::WriteFile | AccessFs::Truncate | AccessFs::MakeReg | AccessFs::RemoveFile;
    for allowed in plan.allowed() {
        ruleset = allow(ruleset, &allowed.path, read, faults)?;
    }
    for folder in plan.written() {
        ruleset = allow(ruleset, folder, read | write, faults)?;
    }
    let RestrictionStatus { ruleset, landlock, .. } = ruleset.restrict_self()?;
    Ok(match (landlock, ruleset) {
        (LandlockStatus::Available { .. }, RulesetStatus::FullyEnforced) => Fence::Whole,
        (LandlockStatus::Available { effective_abi, .. }, _) => Fence::Part(effective_abi as i32),
        (LandlockStatus::NotEnabled, _) => Fence::Off,
        (LandlockStatus::NotImplemented, _) => Fence::Absent,
    })
}

/// Lets this be done at `path` and below. One that is not there is no reason not to start.
fn allow(
    ruleset: RulesetCreated,
    path: &Path,
    access: BitFlags<AccessFs>,
    faults: &mut Vec<String>,
) -> Result<RulesetCreated, RulesetError> {
    match PathFd::new(path) {
        Ok(fd) if path.is_dir() => ruleset.add_rule(PathBeneath::new(fd, access)),
        Ok(fd) => ruleset.add_rule(PathBeneath::new(fd, AccessFs::ReadFile)),
        Err(_) => {
            let path = path.display();
            faults.push(format!("{path} is not there: restart the server once it is"));
            Ok(ruleset)
        }
    }
}

impl fmt::Display for Fence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let whole = "reads zone files, writes none, starts no program, opens no connection";
        let lacking = "whoever takes over the server reads what its user may read, and starts \
                       programs";
        match self {
            Fence::Whole => write!(f, "{whole}"),
            Fence::Part(version @ 4..) => {
                write!(f, "{whole} (Landlock {version} of {NEWEST_NUMBER})")
            }
            Fence::Part(version) => write!(
                f,
                "reads zone files, writes none, starts no program; connections need Linux 6.7 to be \
                 forbidden (Landlock {version} of {NEWEST_NUMBER})"
            ),
            Fence::Absent => {
                write!(
                    f,
                    "there is no Landlock (Linux 5.13 has it, a filter of system calls may forbid it): {lacking}"
                )
            }
            Fence::Off => write!(
                f,
                "Landlock is switched off, `lsm=` on the kernel's command line lists no `landlock`: \
                 {lacking}"
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_kernel_lacks_is_said_with_what_it_means() {
        let said = |fence: Fence| fence.to_string();
        assert!(!said(Fence::Whole).contains("Landlock"));
        assert!(said(Fence::Part(5)).ends_with("connection (Landlock 5 of 6)"));
        assert!(said(Fence::Part(2)).contains("need Linux 6.7 to be forbidden (Landlock 2 of 6)"));
        assert!(said(Fence::Absent).contains("Linux 5.13"));
        assert!(said(Fence::Off).contains("`lsm=`"));
    }

    #[test]
    fn without_a_sandbox_nothing_is_its_doing() {
        let denied = io::Error::from(ErrorKind::PermissionDenied);
        assert!(!refuses(Path::new("/"), &denied));
    }
}
