//! Where each setting came from.

/// Where a setting came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    /// Nobody set it.
    Default,
    /// The file, as `file:line`.
    File(String),
    /// A variable of the environment, by name.
    Environment(String),
    /// A flag, by name.
    Flag(&'static str),
}

impl std::fmt::Display for Origin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File(place) => f.write_str(place),
            Self::Environment(name) => write!(f, "env {name}"),
            Self::Flag(name) => write!(f, "flag {name}"),
        }
    }
}

/// One setting as it is in force.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SettingOrigin {
    /// Its dotted name, as in the file.
    pub name: String,
    /// Its value, as it would be written in the file.
    pub value: String,
    /// Where it came from.
    pub origin: Origin,
    /// The variable of the environment that sets it.
    pub environment: Option<&'static str>,
    /// The flag that sets it.
    pub flag: Option<&'static str>,
}

/// All settings, in the order of the documentation.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Origins(pub Vec<SettingOrigin>);

impl Origins {
    /// Where a setting came from; [`Origin::Default`] for a name that does not exist.
    pub(crate) fn of(&self, name: &str) -> &Origin {
        self.0.iter().find(|setting| setting.name == name).map_or(&Origin::Default, |setting| &setting.origin)
    }
}
