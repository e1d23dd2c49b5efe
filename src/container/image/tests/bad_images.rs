//! Invalid images, served correctly by a registry or read from disk.

use super::*;

/// Serves these documents and blobs; the first is the manifest.
fn serving(parts: Vec<Vec<u8>>) -> Server {
    Server::new(move |request| {
        let found = parts
            .iter()
            .find(|part| request.path.ends_with(&sha256(part)));
        match found {
            Some(part) => Answer::ok(part),
            None if request.path.ends_with("/manifests/latest") => Answer::ok(&parts[0]),
            None if request.path == "/v2/" => Answer::ok(b"{}"),
            None => Answer::error(404, "blob unknown"),
        }
    })
}

fn config(diff_ids: &[&[u8]]) -> Vec<u8> {
    let diff_ids: Vec<String> = diff_ids.iter().map(|layer| sha256(layer)).collect();
    serde_json::json!({ "rootfs": { "type": "layers", "diff_ids": diff_ids } })
        .to_string()
        .into_bytes()
}

fn index(entries: &[(&[u8], &str)]) -> Vec<u8> {
    let entries: Vec<_> = entries
        .iter()
        .map(|(manifest, architecture)| {
            let mut entry = descriptor(manifest);
            entry["platform"] = serde_json::json!({ "os": "linux", "architecture": architecture });
            entry
        })
        .collect();
    serde_json::json!({ "schemaVersion": 2, "manifests": entries })
        .to_string()
        .into_bytes()
}

#[test]
fn the_platforms_image_is_taken_from_an_index() {
    let sample = Sample::new();
    let other = manifest(b"{}", &[]);
    let index = index(&[(&other, "arm64"), (&sample.manifest, "amd64")]);
    let digest = ContentHash::of(&index);
    let server = serving(vec![index, sample.manifest, sample.config, sample.layer]);
    let image = Bench::new().pull(&server.image()).unwrap();
    assert_eq!(image.digest, digest);
    assert_eq!(image.layers.len(), 1);
}

#[test]
fn one_layer_twice_is_fetched_once_and_stacked_twice() {
    let plain = tar(&[("a", "b")]);
    let (layer, config) = (gzip(&plain), config(&[&plain, &plain]));
    let server = serving(vec![
        manifest(&config, &[&layer, &layer]),
        config,
        layer.clone(),
    ]);
    let image = Bench::new().pull(&server.image()).unwrap();
    assert_eq!(image.layers.len(), 2);
    let fetched = server
        .requests()
        .iter()
        .filter(|request| request.path.ends_with(&sha256(&layer)))
        .count();
    assert_eq!(fetched, 1);
}

#[test]
fn every_wrong_image_is_an_error_that_says_what_is_wrong() {
    let plain = tar(&[("a", "b")]);
    let layer = gzip(&plain);
    let good = config(&[&plain]);
    let lying = config(&[b"something else"]);
    let two = config(&[&plain, &plain]);
    let hostile = tar(&[("a", "b")]);
    // A name that only a raw header can hold.
    let mut hostile_header = tar::Header::new_gnu();
    hostile_header.as_old_mut().name[..5].copy_from_slice(b"../up");
    hostile_header.set_size(0);
    hostile_header.set_mode(0o644);
    hostile_header.set_cksum();
    let hostile = [hostile_header.as_bytes().as_slice(), &hostile].concat();
    let hostile_config = config(&[&hostile]);
    let no_tar = b"this is not an archive".to_vec();
    let no_tar_config = config(&[&no_tar]);
    let artifact = serde_json::json!({ "schemaVersion": 2, "layers": [] }).to_string();
    let old = serde_json::json!({ "schemaVersion": 1, "fsLayers": [] }).to_string();
    let sha512 = serde_json::json!({
        "schemaVersion": 2,
        "config": { "digest": "sha512:00", "size": 2 },
    })
    .to_string();
    let for_others = index(&[(b"a", "arm64"), (b"b", "s390x")]);
    let broken_config = b"{\n  \"rootfs\": 7\n}".to_vec();
    let mut nested = manifest(&good, &[&layer]);
    let mut nest = vec![nested.clone()];
    for _ in 0..5 {
        nested = index(&[(&nested, "amd64")]);
        nest.insert(0, nested.clone());
    }
    let cases: [(&str, Vec<Vec<u8>>); 12] = [
        ("not JSON", vec![b"{\n  \"schemaVersion\": 2,".to_vec()]),
        ("an artifact", vec![artifact.into_bytes()]),
        ("Docker's first format", vec![old.into_bytes()]),
        ("another digest", vec![sha512.into_bytes()]),
        ("for other machines", vec![for_others]),
        ("nested without end", nest),
        (
            "broken configuration",
            vec![manifest(&broken_config, &[]), broken_config],
        ),
        (
            "missing blob",
            vec![manifest(&good, &[&layer]), good.clone()],
        ),
        (
            "layers don't match",
            vec![manifest(&two, &[&layer]), two, layer.clone()],
        ),
        (
            "layer isn't what it should be",
            vec![manifest(&lying, &[&layer]), lying, layer],
        ),
        (
            "layer leads out",
            vec![
                manifest(&hostile_config, &[&hostile]),
                hostile_config,
                hostile,
            ],
        ),
        (
            "layer is not an archive",
            vec![manifest(&no_tar_config, &[&no_tar]), no_tar_config, no_tar],
        ),
    ];
    let mut said = String::new();
    for (what, parts) in cases {
        let server = serving(parts);
        let bench = Bench::new();
        let error = bench.pull(&server.image()).unwrap_err();
        said.push_str(&format!("{what}:\n  {}\n", explain(&error, &server)));
        let trees = std::fs::read_dir(bench.cache.path().join("trees")).unwrap();
        assert_eq!(trees.count(), 0, "{what}");
    }
    insta::assert_snapshot!(said);
}

#[test]
fn every_wrong_local_image_is_an_error_that_names_the_path() {
    let place = tempfile::tempdir().unwrap();
    let write = |path: &str, content: &[u8]| {
        let path = place.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
    };
    let labelled = |label: &str| {
        let mut entry = descriptor(label.as_bytes());
        entry["annotations"] = serde_json::json!({ "org.opencontainers.image.ref.name": label });
        entry
    };
    let two =
        serde_json::json!({ "schemaVersion": 2, "manifests": [labelled("one"), labelled("two")] });
    write("two/index.json", two.to_string().as_bytes());
    write("empty/index.json", br#"{"schemaVersion":2,"manifests":[]}"#);
    write("broken/index.json", b"[");
    std::fs::create_dir(place.path().join("bare")).unwrap();
    let digest = Digest::of(b"{}");
    let entry = serde_json::json!({ "digest": format!("sha256:{}", digest.hash), "size": 2 });
    let one = serde_json::json!({ "schemaVersion": 2, "manifests": [entry] }).to_string();
    write("scribbled/index.json", one.as_bytes());
    write(&format!("scribbled/blobs/sha256/{}", digest.hash), b"[]");
    write("text.tar", b"no archive at all");
    write("plain.tar", &tar(&[("some", "file")]));
    let saved = r#"[{"Config":"c.json","RepoTags":["app:1","app:2"],"Layers":["l.tar"]}]"#;
    write("saved.tar", &tar(&[("manifest.json", saved)]));

    let mut said = String::new();
    for name in [
        "oci:two",
        "oci:two:three",
        "oci:empty",
        "oci:broken",
        "oci:bare",
        "oci:missing",
        "oci:scribbled",
        "oci-archive:missing.tar",
        "oci-archive:text.tar",
        "oci-archive:plain.tar",
        "docker-archive:plain.tar",
        "docker-archive:saved.tar:app:3",
        "docker-archive:saved.tar:app:1",
    ] {
        let server = Server::new(|_| Answer::status(500));
        let (scheme, path) = name.split_once(':').unwrap();
        let uri = format!("{scheme}:{}/{path}", place.path().display());
        let error = Bench::new().pull(&uri).unwrap_err();
        said.push_str(&format!("{name}:\n  {}\n", explain(&error, &server)));
    }
    let said = said.replace(place.path().to_str().unwrap(), "PLACE");
    insta::assert_snapshot!(said);
}
