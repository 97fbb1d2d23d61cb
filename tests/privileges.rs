//! Giving up root. It changes the whole process, so this is one test in its own file; it needs to
//! be started as root and does nothing otherwise.

use nix::unistd::{Uid, User, geteuid, getgroups};
use std::fs::{self, File, Permissions};
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::PathBuf;
use zonesmith::server::privileges::{Became, become_user, plan};

#[test]
fn root_becomes_the_owner_of_the_zones_if_that_one_can_read_them() {
    if !geteuid().is_root() {
        return;
    }
    let nobody = User::from_name("nobody").unwrap().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let zone = folder.path().join("smith.edu.zone");
    fs::write(&zone, "").unwrap();
    fs::write(folder.path().join("key.private"), "").unwrap();
    for secret in ["smith.edu.zone", "key.private"] {
        fs::set_permissions(folder.path().join(secret), Permissions::from_mode(0o600)).unwrap();
    }
    let paths: [PathBuf; 1] = [folder.path().to_owned()];
    assert_eq!(plan(None, &paths).unwrap().unwrap().name, "nobody", "root's folder");
    chown(folder.path(), Some(nobody.uid.as_raw()), None).unwrap();
    let identity = plan(None, &paths).unwrap().unwrap();
    assert_eq!(identity.uid, nobody.uid.as_raw());

    let groups = getgroups().unwrap();
    let became = become_user(identity.clone(), &paths).unwrap();
    assert_eq!(became, Became::Unchanged { identity: identity.clone(), unreadable: zone.clone() });
    assert!(geteuid().is_root());
    assert_eq!(getgroups().unwrap(), groups);

    fs::set_permissions(&zone, Permissions::from_mode(0o644)).unwrap();
    assert_eq!(become_user(identity.clone(), &paths).unwrap(), Became::User(identity));
    assert_eq!(geteuid(), nobody.uid);
    assert_eq!(getgroups().unwrap(), []);
    assert!(nix::unistd::seteuid(Uid::from_raw(0)).is_err(), "there is no way back");
    assert!(File::open(folder.path().join("key.private")).is_err());
    assert!(plan(Some("root"), &paths).is_err(), "only root may become another user");
}
