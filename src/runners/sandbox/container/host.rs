//! Detects the facts about the host: which of its files tests can use.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use nix::unistd::{Gid, Group, Uid, User};

use crate::sandbox::invocation::Invocation;
use maelstrom_container::secrets::is_restricted;
use maelstrom_model::forwarding::INSTALLATIONS;
use maelstrom_model::job::DeviceKind;

use super::HOSTNAME;
use super::facts::{EtcContent, EtcEntry, HostFacts};
use super::host_path::HostPath;
use super::reach;

/// Directories in the root directory that hold programs and libraries, besides those whose names
/// begin with `lib`.
const SYSTEM: [&str; 6] = ["bin", "gnu", "nix", "opt", "sbin", "usr"];

/// The directory for programs that the administrator installs, rather than the distribution.
const INSTALLED: &str = "/usr/local";

/// The name of directories on `PATH` whose scripts need the files in the parent directory (as with
/// pyenv).
const SHIMS: &str = "shims";

/// The entries of `/etc` that containers with the toolbox have, if the host has them: files that
/// programs and libraries need to work at all, and none that identify the host or contain its
/// secrets.
const ETC: [&str; 35] = [
    "alternatives",
    "bash.bashrc",
    "ca-certificates",
    "ca-certificates.conf",
    "crypto-policies",
    "debian_version",
    "fonts",
    "gai.conf",
    "gitconfig",
    "group",
    "host.conf",
    "inputrc",
    "ld.so.cache",
    "ld.so.conf",
    "ld.so.conf.d",
    "locale.alias",
    "locale.conf",
    "localtime",
    "login.defs",
    "lsb-release",
    "magic",
    "mime.types",
    "nsswitch.conf",
    "os-release",
    "passwd",
    "perl",
    "pki",
    "profile",
    "protocols",
    "python3",
    "services",
    "shells",
    "ssl",
    "terminfo",
    "timezone",
];

/// The size limit of files that are copied into the root. Larger files are bound, which costs every
/// container a mount.
const COPY_BYTES_MAX: u64 = 64 * 1024;

/// The lines of `/etc/hosts` for the loopback addresses.
const HOSTS_LOOPBACK: &str = "127.0.0.1 localhost\n::1 localhost ip6-localhost ip6-loopback\n";

/// The content of `/etc/resolv.conf`. No name server answers in a container: queries are refused at
/// once.
const RESOLV_CONF: &str = "nameserver 127.0.0.1\n";

/// The content of `/etc/host.conf` without the toolbox: `localhost` has an IPv4 and an IPv6
/// address.
const HOST_CONF_LEAST: &str = "multi on\n";

/// The content of `/etc/nsswitch.conf` without the toolbox: all lookups read files only.
const NSSWITCH_LEAST: &str = "passwd: files\ngroup: files\nhosts: files\nservices: files\n\
                              protocols: files\n";

/// Gathers the facts about the host. `toolchain` lists the files of the toolchain that tests of the
/// language may use; missing ones are left out.
pub fn gather(invocation: &Invocation, toolchain: Vec<PathBuf>) -> HostFacts {
    let user = Uid::effective();
    let group = Gid::effective();
    let home = invocation.path_variable("HOME");
    let home = home.and_then(|home| HostPath::resolve(&home).ok());
    let system = system();
    // An empty toolchain means `maelstrom-run`, which runs a single program: the search would take
    // too long.
    let linked = match toolchain.is_empty() {
        true => BTreeSet::new(),
        false => reach::configuration(),
    };
    let mut toolbox = system.clone();
    toolbox.extend(resolved(toolchain));
    let on_path: Vec<HostPath> = search_path(invocation, home.as_ref()).collect();
    let own_home = home.as_ref().map(|home| home.canonical.as_path());
    let of_system = |path: &Path| {
        let mut system = system.iter();
        system.any(|place| path.starts_with(&place.canonical))
    };
    let elsewhere = on_path.iter().filter(|path| !of_system(&path.canonical));
    let elsewhere: Vec<PathBuf> = elsewhere
        .flat_map(|path| reach::of_programs(&path.canonical, own_home))
        .filter(|path| !of_system(path))
        .collect();
    toolbox.extend(on_path);
    toolbox.extend(resolved(elsewhere));
    let accounts = EtcAccounts::of(user, group, home.as_ref());
    HostFacts {
        caches: Vec::new(),
        installed: match user.is_root() {
            true => resolved(vec![INSTALLED.into()]).collect(),
            false => Vec::new(),
        },
        user: user.as_raw(),
        group: group.as_raw(),
        home: home.filter(|home| is_replaceable(&home.canonical, &system)),
        etc: etc(Path::new("/etc"), &system, &accounts, &linked),
        etc_least: etc_least(&accounts),
        devices: DeviceKind::ALL
            .into_iter()
            .filter(|device| Path::new("/dev").join(device.name()).exists())
            .collect(),
        toolbox,
    }
}

/// Returns the directories of the host's programs and libraries.
fn system() -> Vec<HostPath> {
    let Ok(entries) = std::fs::read_dir("/") else {
        return Vec::new();
    };
    let mut names: Vec<PathBuf> = entries
        .flatten()
        .filter(|entry| {
            let name = entry.file_name();
            let name = name.to_string_lossy();
            SYSTEM.contains(&name.as_ref()) || name.starts_with("lib")
        })
        .map(|entry| entry.path())
        .collect();
    names.sort();
    resolved(names).collect()
}

/// Returns the directories on `PATH`, the parents of directories of shims, and the directories that
/// variables such as `NVM_DIR` name ([`INSTALLATIONS`]). Directories that contain the home
/// directory are left out: they would show tests the files of all users.
fn search_path(invocation: &Invocation, home: Option<&HostPath>) -> impl Iterator<Item = HostPath> {
    let path = invocation.variable("PATH").map(std::env::split_paths);
    let on_path = path.into_iter().flatten().flat_map(|directory| {
        let is_shims = directory.file_name().is_some_and(|name| name == SHIMS);
        let around = directory.parent().filter(|_| is_shims).map(Path::to_owned);
        [Some(directory), around].into_iter().flatten()
    });
    let installations = INSTALLATIONS
        .iter()
        .filter_map(|name| invocation.variable(name).map(PathBuf::from));
    let directories: Vec<PathBuf> = on_path
        .chain(installations)
        .filter(|directory| directory.is_absolute())
        .collect();
    let home = home.map(|home| home.canonical.clone());
    resolved(directories).filter(move |directory| {
        !home
            .as_ref()
            .is_some_and(|home| home.starts_with(&directory.canonical))
    })
}

fn resolved(paths: Vec<PathBuf>) -> impl Iterator<Item = HostPath> {
    paths
        .into_iter()
        .filter_map(|path| HostPath::resolve(&path).ok())
}

/// Returns whether an empty directory can replace a home directory without hiding files that all
/// programs need. Daemons have homes such as `/usr/sbin` or `/`.
fn is_replaceable(home: &Path, system: &[HostPath]) -> bool {
    let needed = system.iter().map(|path| path.canonical.as_path());
    let needed = needed.chain(["/dev", "/etc", "/proc", "/sys"].map(Path::new));
    home.parent().is_some() && !needed.into_iter().any(|place| place.starts_with(home))
}

/// The lines of `/etc/passwd` and `/etc/group` for the invoking user. The host may keep accounts
/// elsewhere, such as in LDAP.
struct EtcAccounts {
    user: u32,
    group: u32,
    passwd_line: String,
    group_line: String,
}

impl EtcAccounts {
    fn of(user: Uid, group: Gid, home: Option<&HostPath>) -> EtcAccounts {
        let name = match User::from_uid(user) {
            Ok(Some(known)) => known.name,
            Ok(None) | Err(_) => "user".to_owned(),
        };
        let group_name = match Group::from_gid(group) {
            Ok(Some(known)) => known.name,
            Ok(None) | Err(_) => name.clone(),
        };
        let home = home.map_or(Path::new("/"), |home| &home.canonical);
        EtcAccounts {
            passwd_line: format!(
                "{name}:x:{user}:{group}:{name}:{}:/bin/sh\n",
                home.display()
            ),
            group_line: format!("{group_name}:x:{group}:\n"),
            user: user.as_raw(),
            group: group.as_raw(),
        }
    }

    fn complete_passwd(&self, file: Vec<u8>) -> Vec<u8> {
        complete(file, self.user, &self.passwd_line)
    }

    fn complete_group(&self, file: Vec<u8>) -> Vec<u8> {
        complete(file, self.group, &self.group_line)
    }
}

/// Appends `line` to a table of accounts that has no line for `id`.
fn complete(mut table: Vec<u8>, id: u32, line: &str) -> Vec<u8> {
    let id = id.to_string();
    let known = table
        .split(|byte| *byte == b'\n')
        .any(|line| line.split(|byte| *byte == b':').nth(2) == Some(id.as_bytes()));
    if !known {
        if table.last().is_some_and(|last| *last != b'\n') {
            table.push(b'\n');
        }
        table.extend_from_slice(line.as_bytes());
    }
    table
}

/// Returns the entries of `/etc` for containers with the toolbox.
fn etc(
    directory: &Path,
    system: &[HostPath],
    accounts: &EtcAccounts,
    linked: &BTreeSet<String>,
) -> Vec<EtcEntry> {
    let mut entries = vec![hosts(), resolver()];
    let linked = linked.iter().map(String::as_str);
    let linked = linked.filter(|name| !ETC.contains(name));
    for name in ETC.into_iter().chain(linked) {
        let path = directory.join(name);
        let Some(content) = etc_content(&path, system) else {
            continue;
        };
        let content = match (name, content) {
            ("passwd", EtcContent::File(bytes)) => {
                EtcContent::File(accounts.complete_passwd(bytes))
            }
            ("group", EtcContent::File(bytes)) => EtcContent::File(accounts.complete_group(bytes)),
            (_, content) => content,
        };
        let path = Path::new("/etc").join(name);
        entries.push(EtcEntry { path, content });
    }
    entries
}

/// Returns the host's file, in the cheapest form that works in a container.
fn etc_content(path: &Path, system: &[HostPath]) -> Option<EtcContent> {
    let resolved = HostPath::resolve(path).ok()?;
    let is_link = std::fs::symlink_metadata(path).ok()?.is_symlink();
    let in_toolbox = system
        .iter()
        .any(|place| resolved.canonical.starts_with(&place.canonical));
    if is_link && in_toolbox {
        return std::fs::read_link(path).ok().map(EtcContent::Symlink);
    }
    let metadata = std::fs::metadata(&resolved.canonical).ok()?;
    if is_restricted(&metadata) {
        return None;
    }
    if metadata.is_file() && metadata.len() <= COPY_BYTES_MAX {
        return std::fs::read(&resolved.canonical)
            .ok()
            .map(EtcContent::File);
    }
    let usable = metadata.is_dir() || metadata.is_file();
    usable.then_some(EtcContent::Bind(resolved))
}

/// Returns the entries of `/etc` for containers without the toolbox.
fn etc_least(accounts: &EtcAccounts) -> Vec<EtcEntry> {
    let file = |name: &str, bytes: Vec<u8>| EtcEntry {
        path: Path::new("/etc").join(name),
        content: EtcContent::File(bytes),
    };
    let root = b"root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\n";
    let groups = b"root:x:0:\nnogroup:x:65534:\n";
    vec![
        hosts(),
        resolver(),
        file("group", accounts.complete_group(groups.to_vec())),
        file("host.conf", HOST_CONF_LEAST.into()),
        file("nsswitch.conf", NSSWITCH_LEAST.into()),
        file("passwd", accounts.complete_passwd(root.to_vec())),
    ]
}

fn hosts() -> EtcEntry {
    EtcEntry {
        path: "/etc/hosts".into(),
        content: EtcContent::File(format!("{HOSTS_LOOPBACK}127.0.1.1 {HOSTNAME}\n").into()),
    }
}

fn resolver() -> EtcEntry {
    EtcEntry {
        path: "/etc/resolv.conf".into(),
        content: EtcContent::File(RESOLV_CONF.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    fn accounts() -> EtcAccounts {
        EtcAccounts {
            user: 1234,
            group: 99,
            passwd_line: "me:x:1234:99:me:/home/me:/bin/sh\n".to_owned(),
            group_line: "us:x:99:\n".to_owned(),
        }
    }

    #[test]
    fn an_account_that_the_host_keeps_elsewhere_is_added() {
        let completed = accounts().complete_passwd(b"root:x:0:0::/root:/bin/sh".to_vec());
        assert_eq!(
            String::from_utf8(completed.clone()).unwrap(),
            "root:x:0:0::/root:/bin/sh\nme:x:1234:99:me:/home/me:/bin/sh\n"
        );
        assert_eq!(accounts().complete_passwd(completed.clone()), completed);
        assert_eq!(accounts().complete_group(Vec::new()), b"us:x:99:\n");
    }

    #[test]
    fn a_home_that_holds_programs_is_not_replaced() {
        let system = [HostPath::directory("/usr"), HostPath::directory("/usr/bin")];
        for home in ["/", "/usr", "/usr/bin", "/etc", "/dev"] {
            assert!(!is_replaceable(Path::new(home), &system), "{home}");
        }
        for home in ["/root", "/home/u", "/usr/local/home", "/opt/ci"] {
            assert!(is_replaceable(Path::new(home), &system), "{home}");
        }
    }

    #[test]
    fn files_of_etc_are_copied_linked_or_bound() {
        let root = tempfile::tempdir().unwrap();
        let root = root.path().canonicalize().unwrap();
        let etc_directory = root.join("etc");
        std::fs::create_dir_all(etc_directory.join("ssl")).unwrap();
        std::fs::create_dir_all(root.join("usr")).unwrap();
        std::fs::create_dir_all(root.join("run")).unwrap();
        std::fs::write(root.join("usr/zone"), "z").unwrap();
        std::fs::write(root.join("run/services"), "s").unwrap();
        std::fs::write(etc_directory.join("passwd"), "root:x:0:0::/:/bin/sh\n").unwrap();
        std::fs::write(etc_directory.join("secret"), "no").unwrap();
        let large = vec![b'l'; COPY_BYTES_MAX as usize + 1];
        std::fs::write(etc_directory.join("ld.so.cache"), large).unwrap();
        symlink("../usr/zone", etc_directory.join("localtime")).unwrap();
        symlink(root.join("run/services"), etc_directory.join("services")).unwrap();
        symlink("../nowhere", etc_directory.join("os-release")).unwrap();

        let system = [HostPath::resolve(&root.join("usr")).unwrap()];
        let entries = etc(&etc_directory, &system, &accounts(), &BTreeSet::new());
        let shown: Vec<String> = entries
            .iter()
            .map(|entry| {
                let content = match &entry.content {
                    EtcContent::File(bytes) => format!("{:?}", String::from_utf8_lossy(bytes)),
                    EtcContent::Symlink(target) => format!("-> {}", target.display()),
                    EtcContent::Bind(source) => {
                        let below = source.canonical.strip_prefix(&root).unwrap();
                        format!("bind {}", below.display())
                    }
                };
                format!("{} {content}", entry.path.display())
            })
            .collect();
        insta::assert_snapshot!(shown.join("\n"), @r#"
        /etc/hosts "127.0.0.1 localhost\n::1 localhost ip6-localhost ip6-loopback\n127.0.1.1 maelstrom\n"
        /etc/resolv.conf "nameserver 127.0.0.1\n"
        /etc/ld.so.cache bind etc/ld.so.cache
        /etc/localtime -> ../usr/zone
        /etc/passwd "root:x:0:0::/:/bin/sh\nme:x:1234:99:me:/home/me:/bin/sh\n"
        /etc/services "s"
        /etc/ssl bind etc/ssl
        "#);
    }

    #[test]
    fn what_path_needs_is_lent_unless_it_holds_the_home() {
        let root = tempfile::tempdir().unwrap();
        let root = root.path().canonicalize().unwrap();
        for name in ["home/u/bin", "home/u/.manager/shims", "java"] {
            std::fs::create_dir_all(root.join(name)).unwrap();
        }
        let path = std::env::join_paths([
            root.join("home/u/bin"),
            root.join("home/u/.manager/shims"),
            root.join("home"),
            root.join("home/u"),
            PathBuf::from("relative"),
            root.join("missing"),
        ]);
        let invocation = Invocation {
            directory: root.clone(),
            environment: [
                ("PATH".into(), path.unwrap()),
                ("JAVA_HOME".into(), root.join("java").into_os_string()),
                ("NVM_DIR".into(), root.join("home").into_os_string()),
            ]
            .into(),
            colors: crate::sandbox::invocation::ColorMode::Unwanted,
        };
        let home = HostPath::resolve(&root.join("home/u")).unwrap();
        let lent: Vec<PathBuf> = search_path(&invocation, Some(&home))
            .map(|path| path.canonical.strip_prefix(&root).unwrap().to_owned())
            .collect();
        let expected = [
            "home/u/bin",
            "home/u/.manager/shims",
            "home/u/.manager",
            "java",
        ];
        assert_eq!(lent, expected.map(PathBuf::from));
    }
}
