//! `ActionCache` over the storage's results.

use tonic::{Request, Response, Status};

use super::super::actions::{ActionError, ActionResults};
use crate::engine::error::with_causes;
use crate::engine::reapi::digest::{check_function, required};
use crate::engine::reapi::limits::ACTION_RESULT_BYTES_MAX;
use crate::engine::reapi::v2::action_cache_server::ActionCache;
use crate::engine::reapi::v2::{ActionResult, GetActionResultRequest, UpdateActionResultRequest};

/// Answers `ActionCache`.
#[derive(Clone, Debug)]
pub struct ActionCacheService {
    results: ActionResults,
}

impl ActionCacheService {
    /// Over these results.
    pub fn new(results: ActionResults) -> ActionCacheService {
        ActionCacheService { results }
    }
}

fn status(error: &ActionError) -> Status {
    let message = with_causes(error);
    match error {
        ActionError::Lacks { .. } => Status::failed_precondition(message),
        ActionError::Digest { .. } => Status::invalid_argument(message),
        ActionError::Storage(_) | ActionError::Database(_) => Status::unavailable(message),
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
        let action = required(request.action_digest.as_ref());
        let action = action.map_err(|error| Status::invalid_argument(error.to_string()))?;
        let found = self.results.get(&request.instance_name, action).await;
        match found.map_err(|error| status(&error))? {
            Some(result) => Ok(Response::new(result)),
            None => Err(Status::not_found(format!(
                "there is no result of the action {action}"
            ))),
        }
    }

    async fn update_action_result(
        &self,
        request: Request<UpdateActionResultRequest>,
    ) -> Result<Response<ActionResult>, Status> {
        let request = request.into_inner();
        check_function(request.digest_function)?;
        let action = required(request.action_digest.as_ref());
        let action = action.map_err(|error| Status::invalid_argument(error.to_string()))?;
        let result = request
            .action_result
            .ok_or_else(|| Status::invalid_argument("the request has no result"))?;
        let bytes = prost::Message::encoded_len(&result);
        if bytes > ACTION_RESULT_BYTES_MAX {
            return Err(Status::invalid_argument(format!(
                "the result has {bytes} bytes; at most {ACTION_RESULT_BYTES_MAX} are kept"
            )));
        }
        let put = self.results.put(&request.instance_name, action, &result);
        put.await.map_err(|error| status(&error))?;
        Ok(Response::new(result))
    }
}
