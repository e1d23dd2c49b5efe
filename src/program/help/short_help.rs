//! The short help (`-h`) of the broker and the worker. Those of the other programs are in
//! `maelstrom_runners::options::short_help`.

use maelstrom_spec::config::{ShortHelp, ShortHelpRow};

const fn row(options: &'static [&'static str], text: &'static str) -> ShortHelpRow {
    ShortHelpRow { options, text }
}

/// The short help of `maelstrom-broker`.
pub static BROKER: ShortHelp = ShortHelp {
    rows: &[
        row(&["listen", "port"], "Where it listens"),
        row(&["tls_certificate", "tls_key"], "TLS"),
        row(&["client_ca", "tokens"], "Who may connect"),
        row(&["cache_root", "cache_size"], "Where it stores inputs"),
    ],
    examples: &[
        ("maelstrom-broker --port 4000", "a broker for this machine"),
        ("maelstrom-broker status", "what the cluster does"),
        (
            "maelstrom-broker credentials init team",
            "certificates for a team",
        ),
    ],
};

/// The short help of `maelstrom-worker`.
pub static WORKER: ShortHelp = ShortHelp {
    rows: &[
        row(&["broker"], "The broker to work for"),
        row(&["broker_ca"], "TLS: who signed its certificate"),
        row(&["broker_token_file"], "A token for it"),
        row(&["broker_certificate"], "A certificate for it"),
        row(&["broker_key"], "The certificate's key"),
        row(&["name", "slots"], "This worker's name and size"),
        row(&["lend"], "What jobs may see of this machine"),
        row(&["allow"], "What jobs may ask for"),
        row(&["scratch_memory"], "Memory for files of jobs"),
        row(&["cache_root", "cache_size"], "Where inputs are kept"),
        row(&["drain_timeout"], "Time for jobs when it stops"),
        row(&["log-level", "log_format"], "What to log, and how"),
        row(&["config-file", "print-config"], "Configuration"),
    ],
    examples: &[
        ("maelstrom-worker --broker build:4000", "work for a broker"),
        (
            "maelstrom-worker -b build:4000 --slots 8",
            "at most 8 jobs at a time",
        ),
        (
            "maelstrom-worker -b build:4000 --lend none",
            "lend no files",
        ),
    ],
};
