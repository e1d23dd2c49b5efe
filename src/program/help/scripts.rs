//! The scripts with which shells complete the programs' command lines. A script only asks the
//! program, which knows its options and the names of the project.

use super::manual::ProgramManual;

/// A shell whose command lines can be completed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CompletionShell {
    Bash,
    Zsh,
    Fish,
}

impl CompletionShell {
    /// All shells.
    pub const ALL: [CompletionShell; 3] = [
        CompletionShell::Bash,
        CompletionShell::Zsh,
        CompletionShell::Fish,
    ];

    /// Returns the name of the shell's program.
    pub fn name(self) -> &'static str {
        match self {
            CompletionShell::Bash => "bash",
            CompletionShell::Zsh => "zsh",
            CompletionShell::Fish => "fish",
        }
    }

    /// Returns the shell with a name.
    pub fn named(name: &str) -> Option<CompletionShell> {
        CompletionShell::ALL
            .into_iter()
            .find(|shell| shell.name() == name)
    }

    /// Returns where a script is installed below `/usr` or another prefix, so that the shell finds
    /// it.
    pub fn installed(self, program: &str) -> String {
        match self {
            CompletionShell::Bash => format!("share/bash-completion/completions/{program}"),
            CompletionShell::Zsh => format!("share/zsh/site-functions/_{program}"),
            CompletionShell::Fish => format!("share/fish/vendor_completions.d/{program}.fish"),
        }
    }
}

/// Returns the script of a program.
pub fn script(manual: &ProgramManual, shell: CompletionShell) -> String {
    let (own, for_cargo) = match shell {
        CompletionShell::Bash => (
            include_str!("../../../assets/completions/bash"),
            include_str!("../../../assets/completions/bash_cargo"),
        ),
        // Cargo's own function calls `_cargo-maelstrom`, which is the name of this one.
        CompletionShell::Zsh => (include_str!("../../../assets/completions/zsh"), ""),
        CompletionShell::Fish => (
            include_str!("../../../assets/completions/fish"),
            include_str!("../../../assets/completions/fish_cargo"),
        ),
    };
    let for_cargo = manual.subcommand.map_or("", |_| for_cargo);
    let program = manual.schema.name;
    let function = format!("_{program}");
    [own, for_cargo]
        .concat()
        .replace("@PROGRAM@", program)
        .replace("@FUNCTION@", &function)
}
