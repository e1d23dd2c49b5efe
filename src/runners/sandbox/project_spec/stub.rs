//! Parses stubs: the empty files and directories of a layer that serve as mount points.

/// The stub of an absolute path, by the text of which brace expansion makes it.
pub fn stub_of(path: &str) -> String {
    escaped(path.trim_start_matches('/'))
}

/// A text that brace expansion makes this of.
pub fn escaped(name: &str) -> String {
    let special = |character| matches!(character, '{' | '}' | ',' | '\\');
    if !name.contains('{') {
        return format!("/{name}");
    }
    let mut text = String::from("/");
    for character in name.chars() {
        if special(character) {
            text.push('\\');
        }
        text.push(character);
    }
    text
}
