//! Who nominates: the two roles, how the first one is chosen, and how a conflict is repaired.

use crate::credentials::Credentials;
use crate::stun::Message;

/// The role of an agent (RFC 8445 §6.1.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// Nominates the pair that both use.
    Controlling,
    /// Follows the peer's nomination.
    Controlled,
}

impl Role {
    pub(crate) const fn opposite(self) -> Self {
        match self {
            Self::Controlling => Self::Controlled,
            Self::Controlled => Self::Controlling,
        }
    }
}

/// How an agent gets its first role. A conflict is repaired whatever the policy (RFC 8445
/// §7.3.1.1), and a restart keeps the role (§9).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum RolePolicy {
    /// The side whose `ufrag:password` compares greater as octets is controlling, so that two
    /// agents with this policy never conflict. Until the remote credentials are known the agent
    /// calls itself controlled, and decides no conflict.
    #[default]
    ByCredentials,
    /// Controlling.
    Controlling,
    /// Controlled.
    Controlled,
}

impl RolePolicy {
    pub(crate) fn first(self) -> Role {
        match self {
            Self::Controlling => Role::Controlling,
            Self::ByCredentials | Self::Controlled => Role::Controlled,
        }
    }

    pub(crate) fn settle(self, local: &Credentials, remote: &Credentials) -> Role {
        match self {
            Self::ByCredentials if local.outranks(remote) => Role::Controlling,
            Self::ByCredentials | Self::Controlled => Role::Controlled,
            Self::Controlling => Role::Controlling,
        }
    }
}

/// The role that a request claims for its sender, with its tie-breaker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Claim {
    pub(crate) controlling: Option<u64>,
    pub(crate) controlled: Option<u64>,
}

impl Claim {
    pub(crate) fn of(message: &Message<'_>) -> Self {
        Self {
            controlling: message.controlling(),
            controlled: message.controlled(),
        }
    }

    /// The procedures of RFC 8445 §7.3.1.1.
    pub(crate) fn against(self, role: Role, tie_breaker: u64) -> Verdict {
        match role {
            Role::Controlling => match self.controlling {
                Some(theirs) if tie_breaker >= theirs => Verdict::Refuse,
                Some(_) => Verdict::Switch,
                None => Verdict::NoConflict,
            },
            Role::Controlled => match self.controlled {
                Some(theirs) if tie_breaker >= theirs => Verdict::Switch,
                Some(_) => Verdict::Refuse,
                None => Verdict::NoConflict,
            },
        }
    }
}

/// What a request's claim asks of its receiver.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    NoConflict,
    /// Answer 487 and keep the role.
    Refuse,
    /// Take the other role and answer success.
    Switch,
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 8445 §7.3.1.1, row by row; on a tie one of the two still moves.
    #[test]
    fn the_conflict_table_is_that_of_the_rfc() {
        let controlling = |tie| Claim {
            controlling: Some(tie),
            controlled: None,
        };
        let controlled = |tie| Claim {
            controlling: None,
            controlled: Some(tie),
        };
        let rows = [
            (Role::Controlling, controlling(4), Verdict::Refuse),
            (Role::Controlling, controlling(5), Verdict::Refuse),
            (Role::Controlling, controlling(6), Verdict::Switch),
            (Role::Controlled, controlled(4), Verdict::Switch),
            (Role::Controlled, controlled(5), Verdict::Switch),
            (Role::Controlled, controlled(6), Verdict::Refuse),
            (Role::Controlling, controlled(9), Verdict::NoConflict),
            (Role::Controlled, controlling(9), Verdict::NoConflict),
        ];
        for (role, claim, verdict) in rows {
            assert_eq!(claim.against(role, 5), verdict, "{role:?} {claim:?}");
        }
    }
}
