//! What a family of refresh tokens should do.

use proptest::prelude::*;
use proptest_state_machine::ReferenceStateMachine;

const GRACE: i64 = 10;
const IDLE: i64 = 12 * 3600;
const WHOLE: i64 = 7 * 24 * 3600;
/// Seconds; some of them add up to just within and just beyond each limit.
const PAUSES: [i64; 8] = [1, 5, 9, 11, 300, IDLE - 9, IDLE, 2 * 24 * 3600];

/// One login. Times are seconds since the beginning.
#[derive(Clone, Copy, Debug)]
pub(super) struct Family {
    pub(super) generation: i64,
    rotated_at: i64,
    started_at: i64,
    is_ended: bool,
}

#[derive(Clone, Debug, Default)]
pub(super) struct Model {
    pub(super) now: i64,
    pub(super) families: Vec<Family>,
    /// What the last transition should have answered.
    pub(super) expected: Vec<Outcome>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    Done,
    /// The refresh token from now on.
    Successor(i64),
    Refused,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Transition {
    Login,
    /// With a token that is so many rotations old.
    Refresh {
        family: usize,
        age: i64,
    },
    /// Two tabs at once.
    RefreshTwice {
        family: usize,
    },
    Logout {
        family: usize,
    },
    /// By the first that goes on.
    Revoke {
        family: usize,
    },
    RevokeOthers {
        family: usize,
    },
    Pause {
        seconds: i64,
    },
}

impl Family {
    pub(super) const fn goes_on(&self, now: i64) -> bool {
        !self.is_ended && now < self.rotated_at + IDLE && now < self.started_at + WHOLE
    }

    fn refresh(&mut self, now: i64, age: i64) -> Outcome {
        match age {
            _ if !self.goes_on(now) => Outcome::Refused,
            0 => {
                self.generation += 1;
                self.rotated_at = now;
                Outcome::Successor(self.generation)
            }
            1 if now <= self.rotated_at + GRACE => Outcome::Successor(self.generation),
            _ => {
                self.is_ended = true;
                Outcome::Refused
            }
        }
    }
}

impl ReferenceStateMachine for Model {
    type State = Self;
    type Transition = Transition;

    fn init_state() -> BoxedStrategy<Self> {
        Just(Self::default()).boxed()
    }

    fn transitions(state: &Self) -> BoxedStrategy<Transition> {
        let pause = prop::sample::select(&PAUSES[..]).prop_map(|seconds| Transition::Pause { seconds });
        if state.families.is_empty() {
            return Just(Transition::Login).boxed();
        }
        let family = || 0..state.families.len();
        let refresh = (family(), prop_oneof![6 => Just(0), 3 => Just(1), 1 => 2..4_i64]);
        prop_oneof![
            2 => Just(Transition::Login),
            8 => refresh.prop_map(|(family, age)| Transition::Refresh { family, age }),
            2 => family().prop_map(|family| Transition::RefreshTwice { family }),
            1 => family().prop_map(|family| Transition::Logout { family }),
            1 => family().prop_map(|family| Transition::Revoke { family }),
            1 => family().prop_map(|family| Transition::RevokeOthers { family }),
            6 => pause,
        ]
        .boxed()
    }

    fn preconditions(state: &Self, transition: &Transition) -> bool {
        let goes_on = |family: usize| state.families.get(family).is_some_and(|one| one.goes_on(state.now));
        match transition {
            Transition::Login => state.families.len() < 4,
            Transition::Pause { .. } => true,
            Transition::Refresh { family, age } => {
                state.families.get(*family).is_some_and(|one| *age <= one.generation)
            }
            Transition::RefreshTwice { family } | Transition::Logout { family } => {
                *family < state.families.len()
            }
            // Whoever asks has an access token, which the session has not outlived.
            Transition::RevokeOthers { family } => goes_on(*family),
            Transition::Revoke { family } => {
                *family < state.families.len() && (0..state.families.len()).any(goes_on)
            }
        }
    }

    fn apply(mut state: Self, transition: &Transition) -> Self {
        let now = state.now;
        state.expected = match *transition {
            Transition::Login => {
                state.families.push(Family {
                    generation: 0,
                    rotated_at: now,
                    started_at: now,
                    is_ended: false,
                });
                vec![Outcome::Done]
            }
            Transition::Refresh { family, age } => vec![state.families[family].refresh(now, age)],
            Transition::RefreshTwice { family } => {
                let outcome = state.families[family].refresh(now, 0);
                vec![outcome, outcome]
            }
            Transition::Logout { family } => {
                state.families[family].is_ended = true;
                vec![Outcome::Done]
            }
            Transition::Revoke { family } => {
                // A login removes what has outlived itself, which therefore may or may not be there to be revoked.
                state.families[family].is_ended = true;
                vec![]
            }
            Transition::RevokeOthers { family } => {
                let others = state.families.iter_mut().enumerate().filter(|(number, _)| *number != family);
                others.for_each(|(_, other)| other.is_ended = true);
                vec![Outcome::Done]
            }
            Transition::Pause { seconds } => {
                state.now += seconds;
                vec![]
            }
        };
        state
    }
}
