//! Usage judged against the allowance.
//!
//! Three values and what leads from one to the next: what the household decided ([`Settings`]), what was used
//! ([`Ledger`]), and how each client stands now ([`Standing`]). The ledger counts on the line that never steps
//! and files by quota day, which a wrong clock can prolong but never shorten: the rules stand in `day`. It
//! refuses to know packets, the kernel or files; its state leaves as a value ([`State`]).

mod account;
mod actions;
mod block;
mod day;
mod event;
mod guard;
pub mod hours;
mod judge;
mod ledger;
mod plans;
mod policy;
mod spent;
mod standing;
mod state;

pub use actions::Refused;
pub use block::{BlockState, Blocklist, MIN_SERVER_BYTES, MIXED_FOR, Naming, VideoServer};
pub use event::{Event, What, Who};
pub use guard::Guard;
pub use judge::{Usage, Verdict};
pub use ledger::{Ledger, MAX_CLIENTS, MAX_EVENTS, OVERFLOW};
pub use policy::{Action, Budget, Device, Period, Plan, PlanAction, Policy, Profile, Scope, Settings};
pub use standing::{Standing, Terms, assess};
pub use state::{Recovery, State, StateError, UploadState};
