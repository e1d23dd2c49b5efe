//! `ActionCache`: serves action results.
//!
//! All clients read the results and trust them, so only writers may write. Workers report through
//! their leases instead; the broker does not know which action a job belongs to.

use tonic::{Request, Response, Status};

use super::super::actions::ActionResults;
use crate::security::guard::is_for_writers;
use maelstrom_wire::reapi::digest::{check_function, required};
use maelstrom_wire::reapi::v2::action_cache_server::ActionCache;
use maelstrom_wire::reapi::v2::{ActionResult, GetActionResultRequest, UpdateActionResultRequest};

/// The `ActionCache` service.
#[derive(Clone, Debug)]
pub struct ActionCacheService {
    results: ActionResults,
}

impl ActionCacheService {
    pub(super) fn new(results: ActionResults) -> Self {
        ActionCacheService { results }
    }
}

#[tonic::async_trait]
impl ActionCache for ActionCacheService {
    async fn get_action_result(
        &self,
        request: Request<GetActionResultRequest>,
    ) -> Result<Response<ActionResult>, Status> {
        let request = request.into_inner();
        check_function(request.digest_function)?;
        let action = required(request.action_digest.as_ref())?;
        match self.results.get(&request.instance_name, action).await? {
            Some(result) => Ok(Response::new(result)),
            None => Err(Status::not_found(format!(
                "no result of the action {action} is known"
            ))),
        }
    }

    async fn update_action_result(
        &self,
        request: Request<UpdateActionResultRequest>,
    ) -> Result<Response<ActionResult>, Status> {
        is_for_writers(&request)?;
        let request = request.into_inner();
        check_function(request.digest_function)?;
        let action = required(request.action_digest.as_ref())?;
        let result = request.action_result.ok_or_else(|| {
            Status::invalid_argument(format!("the message holds no result of {action}"))
        })?;
        self.results
            .update(&request.instance_name, action, result.clone())
            .await?;
        Ok(Response::new(result))
    }
}
