//! Authentication of clients.

pub mod authenticate;
pub mod role;
pub mod secret;
pub mod tokens;

use self::role::Role;
use self::secret::Secret;
use self::tokens::Tokens;

/// The settings of access.
#[derive(Clone, Debug)]
pub struct Access {
    /// A client without a token is the administrator. On loopback only.
    pub is_open: bool,
    /// Without a token one may connect as nobody.
    pub allows_anonymous: bool,
    /// Checks tokens.
    pub tokens: Tokens,
    /// What callers of the server API show; without one nobody may call it.
    pub api_key: Option<Secret>,
}

impl Default for Access {
    /// Open, and without keys.
    fn default() -> Self {
        Self { is_open: true, allows_anonymous: false, tokens: Tokens::default(), api_key: None }
    }
}

impl Access {
    /// The role of a user whose token does not name one.
    pub fn default_role(&self) -> Role {
        if self.is_open { Role::Admin } else { Role::Customer }
    }
}
