//! Writes the text of stubs: the empty files and directories of a layer that serve as mount points.

/// Returns the text of a stub for an absolute path, with the characters escaped that brace
/// expansion would interpret.
pub fn stub_of(path: &str) -> String {
    escaped(path.trim_start_matches('/'))
}

/// Returns `/` and `name`, with the characters escaped that brace expansion would interpret. Only a
/// `{` starts an expansion, so a name without it needs no escapes.
pub(super) fn escaped(name: &str) -> String {
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
