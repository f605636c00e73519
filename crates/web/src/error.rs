//! What goes wrong, as an answer: a status and a body that says it.

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};

use crate::types::Problem;

/// An answer that is not 2xx.
#[derive(Debug)]
pub(crate) struct ApiError {
    status: StatusCode,
    problem: Problem,
}

impl ApiError {
    pub(crate) fn new(status: StatusCode, error: impl Into<String>) -> ApiError {
        ApiError { status, problem: Problem { error: error.into(), ..Problem::default() } }
    }

    pub(crate) fn bad(error: impl Into<String>) -> ApiError {
        ApiError::new(StatusCode::BAD_REQUEST, error)
    }

    pub(crate) fn missing(error: impl Into<String>) -> ApiError {
        ApiError::new(StatusCode::NOT_FOUND, error)
    }

    pub(crate) fn candidates(mut self, candidates: Vec<String>) -> ApiError {
        self.problem.candidates = candidates;
        self
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        (self.status, Json(self.problem)).into_response()
    }
}

/// What a handler returns.
pub(crate) type Answer<T> = Result<Json<T>, ApiError>;
