//! The command line as clap sees it; every text of it comes from the words file.
//!
//! An option of one name means the same in every command. Must not know: what commands do.

use clap::{Arg, ArgAction, Command, builder::PossibleValuesParser, value_parser};

use crate::words::Words;

/// Builds the command line in the language of `words`.
pub(crate) fn command(words: &Words) -> Command {
    let make = Maker { words };
    let mut root = make
        .command("tuquan")
        .version(env!("CARGO_PKG_VERSION"))
        .subcommand_required(true)
        .arg_required_else_help(false)
        .disable_help_subcommand(true)
        .disable_version_flag(true)
        .subcommand_help_heading(words.get("help.commands").to_owned())
        .subcommand_value_name(words.get("help.command").to_owned())
        .arg(make.flag("version").short('V').action(ArgAction::Version))
        .after_help(words.get("help.exit_codes").to_owned());
    for global in [
        make.option("home").env("TUQUAN_HOME").hide_env(true),
        make.flag("json"),
        make.option("lang")
            .env("TUQUAN_LANG")
            .hide_env(true)
            .value_parser(PossibleValuesParser::new(["vi", "en"]))
            .hide_possible_values(true),
        make.option("key-file"),
        make.option("fence"),
        make.option("passphrase-file"),
    ] {
        root = root.arg(global.global(true));
    }
    root.subcommands(make.writing())
        .subcommands(make.reading())
        .subcommands(make.exchanging())
        .subcommands(make.meeting())
        .subcommands(make.checking())
}

struct Maker<'a> {
    words: &'a Words,
}

impl Maker<'_> {
    fn writing(&self) -> Vec<Command> {
        let words_of = |name| self.positional(name).num_args(1..);
        let id = || self.positional("id").required(true);
        vec![
            self.command("init").arg(self.flag("join")),
            self.command("log").args([
                words_of("text"),
                self.option("category").short('c').required(true),
                self.option("place").short('p'),
                self.option("building").short('b'),
                self.option("at"),
                self.flag("urgent"),
                self.flag("line"),
                self.request(),
            ]),
            self.command("note").args([
                id(),
                words_of("text").required(true),
                self.option("kind-of-note"),
                self.option("at"),
                self.request(),
            ]),
            self.command("edit").args([id(), words_of("set").required(true), self.request()]),
            self.command("transition").args([
                id(),
                self.positional("state").required(true),
                self.option("reason"),
                self.option("outcome"),
                self.option("at"),
                self.request(),
            ]),
            self.command("assign").args([
                id(),
                self.positional("person").required(true),
                self.flag("remove"),
                self.request(),
            ]),
            self.command("strike").args([
                id(),
                self.positional("entry").required(true),
                words_of("text"),
                self.request(),
            ]),
            self.command("attach").args([
                id(),
                self.positional("file").required(true),
                self.request(),
            ]),
            self.command("photo").args([
                id(),
                self.positional("number"),
                self.option("out").short('o').conflicts_with("take-out"),
                self.flag("take-out").requires("number"),
                self.request(),
            ]),
            self.command("resolve").args([
                id(),
                self.positional("field").required(true),
                self.positional("value").required(true),
                self.option("reason"),
                self.request(),
            ]),
        ]
    }

    fn reading(&self) -> Vec<Command> {
        vec![
            self.command("list").args([
                self.kind(),
                self.option("category").short('c'),
                self.option("place").short('p'),
                self.option("state"),
                self.option("from"),
                self.option("to"),
                self.limit("20"),
                self.option("after"),
            ]),
            self.command("show").arg(self.positional("id").required(true)),
            self.command("search").args([
                self.positional("text").num_args(1..).required(true),
                self.option("kind"),
                self.limit("20"),
            ]),
            self.command("conflicts").arg(self.limit("100")),
            self.command("members"),
            self.command("report").args([
                self.option("month"),
                self.option("closing"),
                self.option("from"),
                self.option("to"),
                self.option("by")
                    .value_parser(PossibleValuesParser::new([
                        "none", "category", "building", "week",
                    ]))
                    .hide_possible_values(true)
                    .default_value("category")
                    .hide_default_value(true),
            ]),
        ]
    }

    fn exchanging(&self) -> Vec<Command> {
        let file = || self.positional("file").required(true);
        let out = || self.option("out").short('o');
        vec![
            self.command("import-csv").args([
                file(),
                self.option("map").short('m'),
                self.option("report-file"),
                self.flag("all-refused"),
            ]),
            self.command("export-csv").args([
                out(),
                self.kind(),
                self.option("from"),
                self.option("to"),
                self.flag("bom"),
            ]),
            self.command("invite").args([
                self.role(),
                self.flag("own"),
                self.option("hub"),
                self.option("hub-roots"),
                out(),
            ]),
            self.command("join").args([
                self.code(),
                self.code_file(),
                self.flag("differ").conflicts_with_all(["code", "code-file"]),
                self.option("hub-roots"),
                self.option("lan"),
                self.seconds("wait"),
                self.flag("offline"),
                out(),
            ]),
            self.command("admit").args([
                self.code(),
                self.code_file(),
                self.option("digits").conflicts_with("reader"),
                self.flag("reader"),
                self.flag("frames"),
                self.option("hub-roots"),
                self.option("listen"),
                self.seconds("wait"),
                out(),
            ]),
            self.command("card").arg(out()),
            self.command("grant").args([file(), out(), self.role()]),
            self.command("export").arg(out().required(true)),
            self.command("import").arg(file()),
            self.command("remove").arg(self.positional("device").required(true)),
            self.command("quarantine").args([
                self.positional("log-of"),
                self.flag("accept"),
                self.option("last"),
            ]),
        ]
    }

    fn meeting(&self) -> Vec<Command> {
        vec![
            self.command("hub").args([
                self.option("config").conflicts_with_all(["data-dir", "listen"]),
                self.option("data-dir"),
                self.option("listen"),
            ]),
            self.command("sync").args([
                self.option("hub"),
                self.option("hub-roots"),
                self.option("lan"),
                self.seconds("find"),
            ]),
            self.command("serve-lan").args([
                self.option("listen"),
                self.seconds("for"),
                self.flag("quiet"),
            ]),
            self.command("status"),
        ]
    }

    fn checking(&self) -> Vec<Command> {
        let number = |name| self.option(name).value_parser(value_parser!(u64));
        vec![
            self.command("doctor").arg(self.flag("salvage")),
            self.command("stats"),
            self.command("reset-check"),
            self.command("demo").args([
                self.option("data").env("TUQUAN_DATA").hide_env(true),
                number("events").hide(true),
                number("seed").hide(true),
            ]),
        ]
    }

    fn command(&self, name: &'static str) -> Command {
        let usage = self.words.get("help.usage");
        let command = Command::new(name)
            .about(self.words.get(&format!("command.{name}")).to_owned())
            .help_template(format!("{{about}}\n\n{usage} {{usage}}\n\n{{all-args}}{{after-help}}"))
            .next_help_heading(self.words.get("help.options").to_owned())
            .disable_help_flag(true)
            .arg(self.flag("help").short('h').action(ArgAction::Help));
        match self.words.find(&format!("example.{name}")) {
            Some(example) => {
                let heading = self.words.get("help.example");
                command.after_help(format!("\n{heading}\n  {example}"))
            }
            None => command,
        }
    }

    fn option(&self, name: &'static str) -> Arg {
        Arg::new(name).long(name).help(self.help(name)).value_name(name.to_uppercase())
    }

    fn positional(&self, name: &'static str) -> Arg {
        Arg::new(name).help(self.help(name)).value_name(name.to_uppercase())
    }

    fn flag(&self, name: &'static str) -> Arg {
        Arg::new(name).long(name).help(self.help(name)).action(ArgAction::SetTrue)
    }

    fn seconds(&self, name: &'static str) -> Arg {
        self.option(name).value_name("SECONDS").value_parser(value_parser!(u64))
    }

    fn request(&self) -> Arg {
        self.option("request")
    }

    /// What one side gave the other, as a text or in a file.
    fn code(&self) -> Arg {
        self.positional("code")
    }

    fn code_file(&self) -> Arg {
        self.option("code-file").long("file").value_name("FILE").conflicts_with("code")
    }

    fn role(&self) -> Arg {
        self.option("role")
            .value_parser(PossibleValuesParser::new(["R1", "R2", "R3"]))
            .hide_possible_values(true)
            .default_value("R2")
            .hide_default_value(true)
    }

    fn kind(&self) -> Arg {
        self.option("kind").default_value("incident").hide_default_value(true)
    }

    fn limit(&self, default: &'static str) -> Arg {
        self.option("limit")
            .short('n')
            .value_parser(value_parser!(u32))
            .default_value(default)
            .hide_default_value(true)
    }

    fn help(&self, name: &str) -> String {
        self.words.get(&format!("option.{name}")).to_owned()
    }
}
