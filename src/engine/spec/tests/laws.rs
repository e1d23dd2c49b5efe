//! Properties of all files and all containers.

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::*;

use super::super::environment::{EnvironmentElement, EnvironmentValue, MergeMode};
use super::super::policy::words::SHARE_SCOPES;
use super::super::policy::{PolicySetting, RetrySetting};
use super::*;
use maelstrom_container::spec::{
    BindAccess, DeviceKind, Mount, MountKind, NetworkMode, PrivilegeLevel, RootAccess,
    WhenForbidden,
};
use maelstrom_layer::{LayerSpec, PathForm, PrefixOptions, SymlinkMode, SymlinkSpec};
use maelstrom_model::policy::{DeviceNeed, FlakyVerdict, LeakVerdict, RetryDelay, TimeoutVerdict};

fn path() -> impl Strategy<Value = PathBuf> {
    "(/|<build-dir>|<<x>|[a-z \"'é\n]{1,4}){1,4}".prop_map(PathBuf::from)
}

fn prefix() -> impl Strategy<Value = PrefixOptions> {
    let links = prop::sample::select(vec![SymlinkMode::Keep, SymlinkMode::Follow]);
    let form = prop::sample::select(vec![PathForm::AsGiven, PathForm::Canonical]);
    (
        links,
        form,
        prop::option::of(path()),
        prop::option::of(path()),
    )
        .prop_map(
            |(links, form, strip_prefix, prepend_prefix)| PrefixOptions {
                links,
                form,
                strip_prefix,
                prepend_prefix,
            },
        )
}

fn layer() -> impl Strategy<Value = LayerSpec> {
    let paths = || prop::collection::vec(path(), 0..3);
    let symlink = (path(), path()).prop_map(|(link, target)| SymlinkSpec { link, target });
    prop_oneof![
        path().prop_map(|path| LayerSpec::Tar { path }),
        ("[a-z*?/.<>]{1,8}", prefix())
            .prop_map(|(pattern, prefix)| LayerSpec::Glob { pattern, prefix }),
        (paths(), prefix()).prop_map(|(paths, prefix)| LayerSpec::Paths { paths, prefix }),
        prop::collection::vec("[a-z{},<>/]{0,8}", 0..3)
            .prop_map(|stubs| LayerSpec::Stubs { stubs }),
        prop::collection::vec(symlink, 0..3).prop_map(|symlinks| LayerSpec::Symlinks { symlinks }),
        (paths(), prefix()).prop_map(|(binaries, prefix)| {
            LayerSpec::SharedLibraryDependencies { binaries, prefix }
        }),
    ]
}

fn mount() -> impl Strategy<Value = SpecifiedMount> {
    let access = prop::sample::select(vec![BindAccess::ReadOnly, BindAccess::ReadWrite]);
    let source = path().prop_map(|path| std::path::Path::new("/w").join(path));
    let kind = prop_oneof![
        (source, access).prop_map(|(source, access)| MountKind::Bind { source, access }),
        Just(MountKind::DevPts),
        Just(MountKind::MessageQueue),
        Just(MountKind::Proc),
        Just(MountKind::Sys {
            when_forbidden: WhenForbidden::Fail
        }),
        Just(MountKind::Tmp),
    ];
    let placed = ("(/[a-z .\"]{1,3}x){1,3}", kind).prop_map(|(point, kind)| Mount {
        mount_point: point.into(),
        kind,
    });
    let device = prop::sample::select(DeviceKind::ALL.to_vec()).prop_map(|device| Mount {
        mount_point: format!("/dev/{}", device.name()).into(),
        kind: MountKind::Device(device),
    });
    prop_oneof![placed, device].prop_map(SpecifiedMount::from)
}

fn element() -> impl Strategy<Value = EnvironmentElement> {
    let text = prop_oneof![
        "\\PC{0,8}".prop_map(EnvironmentValue::literal),
        "(\\$(env|prev)\\{[A-Z]{1,3}(:-[a-z ]{0,3})?\\}|\\$\\$|[a-z]){0,4}"
            .prop_map(|text| text.parse().unwrap()),
    ];
    let merge = prop::sample::select(vec![MergeMode::Extend, MergeMode::Replace]);
    let vars = prop::collection::btree_map("[A-Z_.é \"]{1,4}", text, 0..3);
    (vars, merge).prop_map(|(vars, merge): (BTreeMap<_, _>, _)| EnvironmentElement { vars, merge })
}

fn scalars() -> impl Strategy<Value = ScalarFields> {
    let network = vec![
        NetworkMode::Disabled,
        NetworkMode::Loopback,
        NetworkMode::Local,
    ];
    let access = vec![RootAccess::ReadOnly, RootAccess::Ephemeral];
    let toolbox = vec![ToolboxMode::Present, ToolboxMode::Absent];
    let privileges = vec![PrivilegeLevel::Ordinary, PrivilegeLevel::Full];
    (
        prop::option::of(prop::sample::select(network)),
        prop::option::of(prop::sample::select(access)),
        prop::option::of("/[a-z \"/]{0,6}".prop_map(PathBuf::from)),
        prop::option::of(any::<u32>()),
        prop::option::of(any::<u32>()),
        prop::option::of(prop::sample::select(toolbox)),
        prop::option::of(prop::sample::select(privileges)),
    )
        .prop_map(
            |(network, root_access, working_directory, user, group, toolbox, privileges)| {
                ScalarFields {
                    network,
                    root_access,
                    working_directory,
                    user,
                    group,
                    toolbox,
                    privileges,
                }
            },
        )
}

fn base() -> impl Strategy<Value = ResolvedBase> {
    let inherited = || any::<u16>().prop_map(InheritedFields::from_bits_truncate);
    prop_oneof![
        Just(ResolvedBase::Nothing),
        inherited().prop_map(|inherited| ResolvedBase::Default { inherited }),
        (inherited(), "docker://[a-z]{1,8}(:[a-z]{1,4})?").prop_map(|(inherited, name)| {
            let inherited = inherited & InheritedFields::IMAGE;
            ResolvedBase::Image { name, inherited }
        }),
    ]
}

fn setting<T: std::fmt::Debug>(
    value: impl Strategy<Value = T>,
) -> impl Strategy<Value = Option<PolicySetting<T>>> {
    let origin = || "somewhere".into();
    let placed = value.prop_map(move |value| PolicySetting {
        value,
        origin: origin(),
    });
    prop::option::of(placed)
}

fn devices(texts: Vec<&str>) -> Vec<DeviceNeed> {
    texts.iter().map(|text| text.parse().unwrap()).collect()
}

/// Generates what a directive can say about how tests run. Test groups are not in its text.
pub(crate) fn policy() -> impl Strategy<Value = PolicyFields> {
    let time = || (1..100_000_u64, 0..3_u32).prop_map(|(s, ns)| Duration::new(s, ns));
    let delay = prop_oneof![
        (time(), any::<bool>()).prop_map(|(delay, jitter)| RetryDelay::Fixed { delay, jitter }),
        Just(RetryDelay::default()),
        (time(), prop::option::of(time()), any::<bool>()).prop_map(|(first, longest, jitter)| {
            RetryDelay::Exponential {
                first,
                longest,
                jitter,
            }
        }),
    ];
    let retries = (0..9_u32, delay).prop_map(|(count, delay)| RetrySetting { count, delay });
    let verdicts = (
        setting(prop::sample::select(vec![
            FlakyVerdict::Pass,
            FlakyVerdict::Fail,
        ])),
        setting(prop::sample::select(vec![
            TimeoutVerdict::Pass,
            TimeoutVerdict::Fail,
        ])),
        setting(prop::sample::select(vec![
            LeakVerdict::Pass,
            LeakVerdict::Fail,
        ])),
    );
    let times = (
        setting(prop::option::of(time())),
        setting(time().prop_map(Some)),
        setting(time()),
    );
    let needs = (
        setting(any::<i8>()),
        setting(any::<NonZeroU32>()),
        setting(any::<bool>()),
        setting(prop::sample::subsequence(vec!["/dev/dri=3", "/dev/kvm"], 0..=2).prop_map(devices)),
        setting(prop::sample::select(
            SHARE_SCOPES.map(|(_, scope)| scope).to_vec(),
        )),
    );
    (setting(retries), verdicts, times, needs).prop_map(|(retries, verdicts, times, needs)| {
        PolicyFields {
            retries,
            flaky_result: verdicts.0,
            on_timeout: verdicts.1,
            leak: verdicts.2,
            slow: times.0,
            timeout: times.1,
            grace: times.2,
            priority: needs.0,
            weight: needs.1,
            exclusive: needs.2,
            devices: needs.3,
            share: needs.4,
            test_group: None,
        }
    })
}

/// Generates resolved specifications that resolving can result in: a base is never empty, and does
/// not provide scalars that are set.
fn anything() -> impl Strategy<Value = ResolvedSpec> {
    (
        (base(), scalars()),
        prop::collection::vec(layer(), 0..4),
        prop::collection::vec(element(), 0..3),
        prop::collection::vec(mount(), 0..4),
        policy(),
        any::<(bool, bool)>(),
    )
        .prop_filter_map(
            "sysfs needs a network of its own",
            |((base, scalars), layers, environment, mounts, policy, flags)| {
                let set = scalars.set();
                let base = match base {
                    ResolvedBase::Default { inherited } => ResolvedBase::Default {
                        inherited: inherited - set,
                    },
                    ResolvedBase::Image { name, inherited } => ResolvedBase::Image {
                        name,
                        inherited: inherited - set,
                    },
                    ResolvedBase::Nothing => ResolvedBase::Nothing,
                };
                let base = match base.inherited().is_empty() {
                    true => ResolvedBase::Nothing,
                    false => base,
                };
                let is_sys = |own: &SpecifiedMount| matches!(own.mount.kind, MountKind::Sys { .. });
                let forbidden =
                    scalars.network == Some(NetworkMode::Local) && mounts.iter().any(is_sys);
                (!forbidden).then_some(ResolvedSpec {
                    base,
                    layers,
                    environment,
                    mounts,
                    scalars,
                    timeout: policy.timeout.as_ref().and_then(|setting| setting.value),
                    policy: Arc::new(policy),
                    fixtures: Vec::new(),
                    ignored: flags.0,
                    include_shared_libraries: flags.1,
                })
            },
        )
}

/// Generates files of mostly valid lines in any order.
fn file() -> impl Strategy<Value = String> {
    let line = prop::sample::select(vec![
        "[[directives]]",
        "[containers.a]",
        "[containers.b]",
        "parent = \"a\"",
        "parent = { name = \"b\", use = [\"layers\", \"user\"] }",
        "image = \"docker://x\"",
        "image = { name = \"oci:y\", use = [\"layers\", \"environment\"] }",
        "layers = [{ tar = \"a\" }]",
        "added_layers = [{ stubs = [\"/{a,b}/\"] }]",
        "environment = { A = \"$env{HOME:-x}\" }",
        "added_environment = [{ vars = { B = \"$prev{A}\" }, extend = false }]",
        "mounts = [{ type = \"proc\", mount_point = \"/proc\" }]",
        "added_mounts = [{ type = \"devices\", devices = [\"null\"] }]",
        "network = \"local\"",
        "enable_writable_file_system = true",
        "working_directory = \"/x\"",
        "user = 7",
        "group = 8",
        "toolbox = false",
        "filter = \"package.equals(courier)\"",
        "filter = \"none\"",
        "ignore = true",
        "timeout = 9",
        "timeout = \"1m 30s\"",
        "retries = 2",
        "retries = { count = 3, backoff = \"exponential\", delay = \"1s\", jitter = true }",
        "slow = 0",
        "weight = \"all\"",
        "test_group = \"\"",
        "exclusive = false",
        "devices = [\"/dev/kvm=2\", \"/dev/nvidia*\"]",
        "share = \"file\"",
        "leak = \"fail\"",
        "include_shared_libraries = false",
    ]);
    prop::collection::vec(line, 0..14).prop_map(|lines| lines.join("\n"))
}

proptest! {
    #[test]
    fn what_is_printed_reads_back(resolved in anything()) {
        let printed = explain::print(&resolved);
        prop_assert_eq!(super::resolved(&printed), Ok(resolved), "{}", printed);
    }

    #[test]
    fn any_file_is_read_or_refused_and_resolves_to_what_it_prints(text in file()) {
        if let Ok(resolved) = super::resolved(&text) {
            let printed = explain::print(&resolved);
            prop_assert_eq!(super::resolved(&printed), Ok(resolved), "{}", printed);
        }
    }

    #[test]
    fn any_text_is_read_or_refused(text in any::<String>()) {
        if let Err(error) = read(&text) {
            prop_assert!(error.starts_with("cargo-maelstrom.toml:"));
        }
    }
}
