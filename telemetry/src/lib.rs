//! The tests of this package export the spans and metrics of the client with OpenTelemetry.
