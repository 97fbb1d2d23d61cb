//! What a scenario's server answers from, in this process.

use super::options;
use super::scenario::Scenario;
use super::tsig;
use zonesmith::guard::acl::{Acl, Askers};
use zonesmith::guard::cookie::{Cookies, Secrets};
use zonesmith::guard::tsig as keys;
use zonesmith::reload::load;
use zonesmith::respond::{Policy, State};
use zonesmith::zone::set::{Change, Slot};

/// The scenario's zones, read as the server reads them, and its flags.
pub fn load(scenario: &Scenario) -> Result<State, String> {
    let folder = written(scenario)?;
    let mut state = State::new(Policy::default());
    state.tcp_idle_ds = Some(100); // as the server has it
    let secrets = Secrets::parse(options::SECRETS).map_err(|error| error.to_string())?;
    state.cookies = Some(Cookies { required: false, secrets });
    scenario.options.iter().try_for_each(|(flag, value)| set(&mut state, flag, value))?;
    state.acl = acl(scenario, "allow", "deny")?;
    if scenario.options.iter().any(|option| option.0 == "allow-transfer") {
        state.transfer_acl = Some(acl(scenario, "allow-transfer", "")?);
    }
    keys::read(tsig::KEY_FILE, &mut state.keys).map_err(|error| error.to_string())?;
    for zone in &scenario.zones {
        let loaded = load::load(&folder.path().join(&zone.file_name));
        let apex = loaded.apex.ok_or(format!("{} is about no zone", zone.file_name))?;
        let slot = loaded.zone.map_or(Slot::Broken, |zone| Slot::Live(zone.into()));
        state.zones.apply(Change { apex, slot: Some(slot) });
    }
    Ok(state)
}

/// Does what a flag of `serve` does.
fn set(state: &mut State, flag: &str, value: &str) -> Result<(), String> {
    match (flag, value) {
        ("minimal-responses", _) => state.policy.minimal_responses = value == "yes",
        ("aliases-across-zones", _) => state.policy.aliases_across_zones = value == "yes",
        ("cookies", "off") => state.cookies = None,
        ("cookies", _) => {
            let cookies = state.cookies.as_mut().ok_or("cookies are off already")?;
            cookies.required = value == "required";
        }
        ("nsid", _) => state.identity.nsid = value.as_bytes().try_into().ok(),
        ("identity", _) => state.identity.id = value.as_bytes().try_into().ok(),
        ("version-text", _) => state.identity.version = value.as_bytes().try_into().ok(),
        ("allow" | "deny" | "allow-transfer", _) => {} // all together, by `acl`
        _ => return Err(format!("no such flag: {flag}")),
    }
    Ok(())
}

/// The rule that the values of two flags make.
fn acl(scenario: &Scenario, allow: &str, deny: &str) -> Result<Acl, String> {
    let blocks = |flag: &str| {
        let values = scenario.options.iter().filter(|option| option.0 == flag);
        let blocks = values.map(|(_, block)| block.parse());
        blocks.collect::<Result<Vec<Askers>, _>>().map_err(|error| error.to_string())
    };
    Acl::new(&blocks(allow)?, &blocks(deny)?).map_err(|both| both.to_string())
}

/// A folder with the scenario's zone files.
pub fn written(scenario: &Scenario) -> Result<tempfile::TempDir, String> {
    let folder = tempfile::tempdir().map_err(|error| error.to_string())?;
    scenario.write_zones(folder.path()).map_err(|error| error.to_string())?;
    Ok(folder)
}
