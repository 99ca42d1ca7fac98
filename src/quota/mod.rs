//! Usage judged against the allowance.

pub mod hours;
mod policy;

pub use policy::{Action, Budget, Device, Period, Plan, Policy, Profile, Scope, Settings};
