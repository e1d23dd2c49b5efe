//! Images and layers: archives of both kinds, indexes, manifests, configurations, tars.
#![no_main]

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use libfuzzer_sys::fuzz_target;
use maelstrom_container::digest::ContentHash;
use maelstrom_container::store::{Store, StoreOptions};
use maelstrom_fuzz::{Parts, block_on, file, scratch};
use maelstrom_image::{
    CredentialFiles, ImageCache, ImageCacheOptions, ImageUri, Platform, ProgressCallback,
    RetryPolicy, TlsVerification,
};
use maelstrom_layer::{LayerBuilder, LayerSpec};
use maelstrom_model::error::help_of;

static NUMBER: AtomicU64 = AtomicU64::new(0);

const CONFIGURATION: &str = r#"{"rootfs":{"diff_ids":["sha256:HASH"]}}"#;

fuzz_target!(|data: &[u8]| {
    let mut parts = Parts(data);
    // A store of its own each time, so that nothing is known already.
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    let root = scratch(&format!("store-{number}"));
    let options = StoreOptions {
        root: root.clone(),
        size_target_bytes: u64::MAX,
    };
    let store = Store::open(&options).expect("a store can be opened");
    match parts.byte() % 6 {
        0 => layer(store, parts.0),
        1 => image(store, "oci-archive", &file("image.tar", parts.0)),
        2 => image(store, "docker-archive", &file("image.tar", parts.0)),
        3 => image(store, "oci", &layout(parts.0, None, None, None)),
        4 => image(
            store,
            "oci",
            &layout(&[], Some(parts.part()), Some(parts.part()), None),
        ),
        _ => image(store, "oci", &layout(&[], None, None, Some(parts.0))),
    }
    // Directories of layers may be closed to their owner.
    let permissions = |entry: &Path| {
        use std::os::unix::fs::PermissionsExt;
        drop(std::fs::set_permissions(
            entry,
            PermissionsExt::from_mode(0o700),
        ));
    };
    permissions(&root);
    drop(std::fs::remove_dir_all(&root));
});

fn layer(store: Store, tar: &[u8]) {
    let builder = LayerBuilder::new(store, scratch(""));
    let path = file("layer.tar", tar);
    match builder.build(&LayerSpec::Tar { path }) {
        Ok(tree) => drop(tree),
        Err(error) => drop(error.to_string()),
    }
}

/// A layout directory in which whatever is not given is right.
fn layout(
    index: &[u8],
    manifest: Option<&[u8]>,
    configuration: Option<&[u8]>,
    layer: Option<&[u8]>,
) -> PathBuf {
    let directory = scratch("layout");
    drop(std::fs::remove_dir_all(&directory));
    let blobs = directory.join("blobs/sha256");
    std::fs::create_dir_all(&blobs).expect("a directory can be made");
    let add = |content: &[u8]| {
        let hash = ContentHash::of(content).to_string();
        std::fs::write(blobs.join(&hash), content).expect("a blob can be written");
        hash
    };
    let layer = add(layer.unwrap_or(&[0; 1024]));
    let right = CONFIGURATION.replace("HASH", &layer);
    let configuration = add(configuration.unwrap_or(right.as_bytes()));
    let right = format!(
        r#"{{"schemaVersion":2,"config":{{"digest":"sha256:{configuration}","size":1}},
            "layers":[{{"digest":"sha256:{layer}","size":1}}]}}"#
    );
    // A manifest can name what is there.
    let manifest = manifest.map(|text| {
        let text = String::from_utf8_lossy(text);
        text.replace("@C", &configuration)
            .replace("@L", &layer)
            .into_bytes()
    });
    let manifest = add(manifest.as_deref().unwrap_or(right.as_bytes()));
    let right =
        format!(r#"{{"schemaVersion":2,"manifests":[{{"digest":"sha256:{manifest}","size":1}}]}}"#);
    let index = match index.is_empty() {
        true => right.into_bytes(),
        false => String::from_utf8_lossy(index)
            .replace("@M", &manifest)
            .into_bytes(),
    };
    std::fs::write(directory.join("index.json"), index).expect("an index can be written");
    directory
}

fn image(store: Store, scheme: &str, path: &Path) {
    let options = ImageCacheOptions {
        credentials: CredentialFiles::default(),
        certificates: TlsVerification::Checked,
        patience: RetryPolicy::default(),
        platform: Platform::host(),
    };
    let depot = ImageCache::new(store, options);
    let uri = format!("{scheme}:{}", path.display());
    let uri: ImageUri = uri.parse().expect("a path is an image's name");
    let silent: ProgressCallback = Arc::new(|_| {});
    if let Err(error) = block_on(depot.image(&uri, None, Path::new("/"), &silent)) {
        drop((error.to_string(), help_of(&error)));
    }
}
