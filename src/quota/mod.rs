//! Usage judged against the allowance.

pub mod hours;
mod policy;

pub use policy::{Action, Budget, Device, Period, Plan, PlanAction, Policy, Profile, Scope, Settings};
