//! The lease book: which jobs wait, who holds which, and who gets the next.

mod limits;
mod vocabulary;

pub use self::limits::Limits;
pub use self::vocabulary::{
    Architecture, Cancelled, ClientId, Credit, Demand, Event, Fence, Gate, Grant, HasKit, Holds,
    How, Inputs, InputsId, JobKey, Kind, KitId, Lease, Moment, Offer, Refused, Resumed, Retry,
    Returned, Standing, Submitted, Verdict,
};
