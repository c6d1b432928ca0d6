//! Which error type goes with which status.

/// The error type that goes with a status.
pub(crate) fn error_type(status: u16) -> &'static str {
    match status {
        401 => "authentication_error",
        402 => "billing_error",
        403 => "permission_error",
        404 => "not_found_error",
        409 => "conflict_error",
        413 => "request_too_large",
        429 => "rate_limit_error",
        408 | 504 => "timeout_error",
        529 => "overloaded_error",
        500.. => "api_error",
        _ => "invalid_request_error",
    }
}

/// The status that goes with an error type.
pub(crate) fn error_status(kind: &str) -> u16 {
    match kind {
        "invalid_request_error" => 400,
        "timeout_error" => 504,
        _ => [401, 402, 403, 404, 409, 413, 429, 529]
            .into_iter()
            .find(|status| error_type(*status) == kind)
            .unwrap_or(500),
    }
}
