//! What the configuration says about a running server, and how the loop takes it over.

use super::watched::{Look, Reading, Seen, Watched};
use super::{Limits, Server, descriptors, secrets};
use crate::guard::acl::{Acl, Askers};
use crate::guard::cookie::Secrets;
use crate::guard::per_zone::PerZone;
use crate::guard::rrl::Limiter;
use crate::guard::tsig::Keys;
use crate::reload::folder::Fingerprint;
use crate::reload::{Choices, Command};
use crate::respond::{Identity, Policy, State};
use crate::transfer::secondaries::Secondaries;
use std::io;
use std::path::PathBuf;
use std::sync::mpsc::Sender;

/// What can be changed while the server runs.
pub struct Settings {
    /// Who may ask.
    pub acl: Acl,
    /// Who may have whole zones; nobody without it.
    pub transfer_acl: Option<Acl>,
    /// Both for some zones alone.
    pub zone_acls: PerZone,
    /// The keys of askers and secondaries.
    pub keys: Keys,
    /// Who is told of changes.
    pub secondaries: Secondaries,
    /// What nobody can guess, if anybody is told.
    pub seed: u64,
    /// What is for whoever reads zones.
    pub choices: Choices,
    /// What limits answers over UDP; none if nothing does.
    pub limiter: Option<Limiter>,
    /// The operator's choices about answers.
    pub policy: Policy,
    /// What the server tells about itself.
    pub identity: Identity,
    /// How many connections there may be, and for how long.
    pub limits: Limits,
}

impl Settings {
    /// Whom a rule names by a key.
    pub fn with_keys(&self) -> impl Iterator<Item = &Askers> {
        let of_server = std::iter::once(&self.acl).chain(&self.transfer_acl);
        of_server.chain(self.zone_acls.acls()).flat_map(Acl::with_keys)
    }

    /// Puts those of answering in their places, and gives the limits back. What was counted so far counts
    /// on.
    pub fn apply(self, state: &mut State) -> Limits {
        state.acl = self.acl;
        state.transfer_acl = self.transfer_acl;
        state.zone_acls = self.zone_acls;
        state.keys = self.keys;
        state.policy = self.policy;
        state.identity = self.identity;
        match (&mut state.limiter, self.limiter) {
            (Some(old), Some(new)) => old.take_rates(new),
            (old, new) => *old = new,
        }
        self.limits
    }
}

/// The files beside the zones that are read again while the server runs, if there are such.
#[derive(Default)]
pub(super) struct Files {
    secrets: Option<Watched<Secrets>>,
    settings: Option<Watched<Settings>>,
}

impl Files {
    /// Has them read.
    pub(super) fn ask(&self) {
        self.secrets.iter().for_each(Watched::ask);
        self.settings.iter().for_each(Watched::ask);
    }
}

impl Server {
    /// Has the file of cookie secrets read again when it changes.
    ///
    /// # Errors
    /// The system gives no thread.
    pub fn watch_secrets(&mut self, path: PathBuf, look: Look) -> io::Result<()> {
        let seen = Seen::from([(path.clone(), Fingerprint::of(&path))]);
        let read = move |_: &[PathBuf]| Reading {
            new: secrets::read_again(&path),
            files: vec![path.clone()],
        };
        self.files.secrets = Some(Watched::start(seen, look, self.waker(), read)?);
        Ok(())
    }

    /// Has `read` called with those files of the configuration and of keys that are others than `seen`,
    /// and takes over what it gives.
    ///
    /// # Errors
    /// The system gives no thread.
    pub fn watch_settings(
        &mut self,
        seen: Seen,
        look: Look,
        read: impl FnMut(&[PathBuf]) -> Reading<Settings> + Send + 'static,
    ) -> io::Result<()> {
        self.files.settings = Some(Watched::start(seen, look, self.waker(), read)?);
        Ok(())
    }

    /// Takes over cookie secrets and settings that were read again.
    pub(super) fn change_settings(&mut self, commands: &Sender<Command>) {
        let state = &mut self.responder.state;
        if let Some(cookies) = &mut state.cookies
            && let Some(secrets) = self.files.secrets.as_ref().and_then(Watched::take)
        {
            cookies.secrets = secrets;
            log::info!("cookie secrets were read again");
        }
        if let Some(mut settings) = self.files.settings.as_ref().and_then(Watched::take) {
            let choices = std::mem::take(&mut settings.choices);
            let _ = commands.send(Command::Choose(choices)); // without a worker nothing is read again
            let secondaries = std::mem::take(&mut settings.secondaries);
            let seed = settings.seed;
            let limits = descriptors::fit(settings.apply(state), self.udp.len());
            self.announcer.take(secondaries, seed, state);
            self.connections.set_limits(limits, self.responder.now);
        }
    }
}
