//! Tests the tree writer's rules for links, replaced entries and whiteouts.

use std::io::Write;

use super::*;

fn built(
    build: impl FnOnce(&mut TreeWriter) -> Result<(), TreeWriteError>,
) -> (tempfile::TempDir, Tree) {
    let cache = tempfile::tempdir().unwrap();
    let tree = store(cache.path(), NO_LIMIT)
        .tree_or_build(name("tree"), build)
        .unwrap();
    (cache, tree)
}

fn refused(build: impl FnOnce(&mut TreeWriter) -> Result<(), TreeWriteError>) -> TreeWriteError {
    let cache = tempfile::tempdir().unwrap();
    store(cache.path(), NO_LIMIT)
        .tree_or_build(name("tree"), build)
        .unwrap_err()
}

#[test]
fn nothing_is_written_through_a_link_that_leads_out() {
    let outside = tempfile::tempdir().unwrap();
    let target = outside.path().to_owned();
    let (_cache, tree) = built(|writer| {
        writer.symlink(&path("out"), &target)?;
        writer.file(&path("out/file"), with_mode(0o644), &mut &b"x"[..])?;
        Ok(())
    });
    assert_eq!(fs::read_dir(outside.path()).unwrap().count(), 0);
    let inside = tree.root().join(outside.path().strip_prefix("/").unwrap());
    assert!(
        inside.join("file").exists(),
        "links start at the tree's root"
    );

    let error = refused(|writer| {
        writer.symlink(&path("a/out"), Path::new("../../etc"))?;
        writer.directory(&path("a/out/file"), with_mode(0o755))
    });
    assert!(matches!(error, TreeWriteError::Path(_)), "{error}");
}

#[test]
fn links_in_a_circle_end_in_an_error() {
    let error = refused(|writer| {
        writer.symlink(&path("a"), Path::new("b"))?;
        writer.symlink(&path("b"), Path::new("a"))?;
        writer.directory(&path("a/c"), with_mode(0o755))
    });
    assert!(
        matches!(error, TreeWriteError::LinksWithoutEnd { .. }),
        "{error}"
    );
}

#[test]
fn a_file_holds_no_files() {
    let error = refused(|writer| {
        writer.file(&path("a"), with_mode(0o644), &mut &b""[..])?;
        writer.directory(&path("a/b/c"), with_mode(0o755))
    });
    insta::assert_snapshot!(error, @"`/a/b/c` cannot be made: `/a` is not a directory");
}

#[test]
fn a_hard_link_needs_a_file() {
    let error = refused(|writer| writer.hard_link(&path("a"), &path("b")));
    insta::assert_snapshot!(error, @"`/a` is a hard link to `/b`, which is not a file of this layer");
    let error = refused(|writer| {
        writer.directory(&path("b"), with_mode(0o755))?;
        writer.hard_link(&path("a"), &path("b"))
    });
    assert!(matches!(error, TreeWriteError::HardLinkTarget { .. }));
}

#[test]
fn the_last_entry_of_a_path_wins() {
    let (_cache, tree) = built(|writer| {
        writer.file(&path("a/b/c"), with_mode(0o644), &mut &b""[..])?;
        writer.symlink(&path("a"), Path::new("x"))?;
        writer.file(&path("a"), with_mode(0o600), &mut &b"last"[..])?;
        Ok(())
    });
    assert_eq!(fs::read(tree.root().join("a")).unwrap(), b"last");
}

#[test]
fn what_a_layer_holds_survives_its_own_whiteouts() {
    let (_cache, tree) = built(|writer| {
        writer.file(&path("a/kept"), with_mode(0o644), &mut &b""[..])?;
        writer.whiteout(&path("a"))?;
        writer.whiteout(&path("b"))?;
        writer.file(&path("b/kept"), with_mode(0o644), &mut &b""[..])?;
        Ok(())
    });
    for directory in ["a", "b"] {
        let directory = tree.root().join(directory);
        assert!(directory.join("kept").exists());
        assert_eq!(
            whiteout::of(&directory).unwrap(),
            whiteout::DirectoryWhiteout::Opaque
        );
    }
}

#[test]
fn a_source_that_changes_is_noticed() {
    let directory = tempfile::tempdir().unwrap();
    let source = directory.path().join("source");
    fs::write(&source, "one").unwrap();
    let stamp = FileStamp::of(&fs::metadata(&source).unwrap());
    let mut file = fs::OpenOptions::new().append(true).open(&source).unwrap();
    file.write_all(b" two").unwrap();
    let error = refused(|writer| {
        writer.copy(
            &path("file"),
            with_mode(0o644),
            &source,
            (stamp, Digest::of(b"one")),
        )
    });
    assert!(
        matches!(error, TreeWriteError::SourceChanged { .. }),
        "{error}"
    );
}
