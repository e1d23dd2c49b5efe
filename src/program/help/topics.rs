//! The topics of `PROGRAM help TOPIC`: concise texts, which the programs contain. The pages in
//! `docs` say more.

/// A topic.
#[derive(Clone, Copy, Debug)]
pub struct HelpTopic {
    pub name: &'static str,
    /// What it is about, in a few words.
    pub summary: &'static str,
    /// The text, in the Markdown that [`super::render`] understands.
    pub text: &'static str,
}

macro_rules! topic {
    ($name:literal, $summary:literal) => {
        HelpTopic {
            name: $name,
            summary: $summary,
            text: include_str!(concat!("../../../assets/help/", $name, ".md")),
        }
    };
}

/// All topics, in the order of the list.
pub static HELP_TOPICS: [HelpTopic; 10] = [
    topic!("patterns", "the language that selects tests"),
    topic!("containers", "what a test sees and what it may do"),
    topic!("directives", "files that say where and how tests run"),
    topic!("configuration", "options, variables and files"),
    topic!(
        "environment",
        "environment variables that the programs read"
    ),
    topic!("reports", "what a run prints and the files that it writes"),
    topic!("exit-codes", "exit codes and their meanings"),
    topic!("cluster", "running tests on other machines"),
    topic!("completions", "completing command lines in a shell"),
    topic!("schemas", "JSON schemas of the files that users write"),
];

/// Returns the topic with a name.
pub fn topic(name: &str) -> Option<&'static HelpTopic> {
    HELP_TOPICS.iter().find(|topic| topic.name == name)
}

/// Returns the list of topics, for the program that is called `called`.
pub fn list(called: &str) -> String {
    let width = HELP_TOPICS.iter().map(|topic| topic.name.len()).max();
    let width = width.unwrap_or(0);
    let lines = HELP_TOPICS
        .iter()
        .map(|topic| format!("    {:width$}  {}\n", topic.name, topic.summary));
    format!(
        "# Topics\n\n`{called} help TOPIC` explains one of these:\n\n{}\n`{called} --help` describes \
         all options, and `-h` the most important ones.\n",
        lines.collect::<String>()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_text_is_a_topic_with_a_title_and_fits_a_terminal() {
        let directory = concat!(env!("CARGO_MANIFEST_DIR"), "/assets/help");
        let files = std::fs::read_dir(directory).unwrap();
        let names = files.map(|file| file.unwrap().file_name().into_string().unwrap());
        let mut names: Vec<String> = names.collect();
        names.sort();
        let mut known = HELP_TOPICS.map(|topic| format!("{}.md", topic.name));
        known.sort();
        assert_eq!(names, known);
        for topic in &HELP_TOPICS {
            assert!(topic.text.starts_with("# "), "{}", topic.name);
            // Code is not wrapped.
            let code = topic.text.lines().filter(|line| line.starts_with("    "));
            for line in code {
                assert!(line.chars().count() <= 80, "{}: {line}", topic.name);
            }
        }
    }

    #[test]
    fn the_list_names_every_topic() {
        insta::assert_snapshot!(list("maelstrom-run"));
    }
}
