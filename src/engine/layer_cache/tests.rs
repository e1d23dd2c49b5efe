//! Tests the layer cache of a project in a temporary directory.

use super::*;
use maelstrom_model::error::{ProgramError, help_of};
use maelstrom_model::job::SkeletonKind;

fn sources(project: &Path) -> LayerCacheOptions {
    LayerCacheOptions {
        project: project.to_owned(),
        cache: project.join("cache"),
        depot: project.join("depot"),
        size_target_bytes: u64::MAX,
        certificates: TlsVerification::Checked,
        library_path: Vec::new(),
    }
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
        .block_on(future)
}

fn stubs(stub: &str) -> LayerSpec {
    LayerSpec::Stubs {
        stubs: vec![stub.to_owned()],
    }
}

#[test]
fn nothing_is_opened_before_it_is_needed_and_everything_is_made_once() {
    let project = tempfile::tempdir().unwrap();
    let materials = LayerCache::new(sources(project.path()));
    assert!(!project.path().join("cache").exists());
    let (a, b) = (stubs("/a/"), stubs("/b"));
    let (one, other, different) = block_on(async {
        tokio::join!(
            materials.layer(&a),
            materials.layer(&a),
            materials.layer(&b)
        )
    });
    let (one, different) = (one.unwrap(), different.unwrap());
    assert_eq!(one, other.unwrap());
    assert!(one.join("a").is_dir() && different.join("b").is_file());
    assert!(!project.path().join("depot").exists());
}

#[test]
fn trees_stay_in_place_as_long_as_the_materials_live() {
    let project = tempfile::tempdir().unwrap();
    let mut greedy = sources(project.path());
    greedy.size_target_bytes = 0;
    let materials = LayerCache::new(greedy.clone());
    let kept = block_on(materials.layer(&stubs("/kept"))).unwrap();
    let others = LayerCache::new(greedy.clone());
    let other = block_on(others.layer(&stubs("/other"))).unwrap();
    drop(others);
    let last = LayerCache::new(greedy);
    block_on(last.layer(&stubs("/last"))).unwrap();
    assert!(kept.join("kept").exists());
    assert!(!other.join("other").exists());
}

#[test]
fn a_skeleton_is_a_tree_of_its_entries() {
    let project = tempfile::tempdir().unwrap();
    let materials = LayerCache::new(sources(project.path()));
    let entry = |path: &str, kind| SkeletonEntry {
        path: path.into(),
        kind,
    };
    let entries = [
        entry("/etc/hosts", SkeletonKind::File(b"me\n".to_vec())),
        entry("/bin", SkeletonKind::Symlink("usr/bin".into())),
        entry("/tmp", SkeletonKind::Directory),
        entry("/tmp", SkeletonKind::File(Vec::new())),
    ];
    let tree = block_on(materials.skeleton(&entries)).unwrap();
    assert_eq!(std::fs::read(tree.join("etc/hosts")).unwrap(), b"me\n");
    assert_eq!(tree.join("bin").read_link().unwrap(), Path::new("usr/bin"));
    assert!(tree.join("tmp").is_dir());
}

#[test]
fn what_cannot_be_had_says_why_and_what_to_do() {
    let project = tempfile::tempdir().unwrap();
    let materials = LayerCache::new(sources(project.path()));
    let silent: ImageProgressCallback = Arc::new(|_| {});
    let tar = LayerSpec::Tar {
        path: "absent.tar".into(),
    };
    let missing = block_on(materials.layer(&tar)).unwrap_err();
    let image = block_on(materials.image("oci:absent", &silent)).unwrap_err();
    let name = block_on(materials.image("absent", &silent)).unwrap_err();
    let told = [&missing, &image, &name].map(|error| {
        let source = std::error::Error::source(error).map(ToString::to_string);
        let text = format!(
            "{error} ({}): {source:?}; {}",
            error.exit_code(),
            help_of(error).unwrap()
        );
        text.replace(&project.path().display().to_string(), "PROJECT")
    });
    insta::assert_snapshot!(told.join("\n"));
}
