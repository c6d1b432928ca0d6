//! Metrics from `Observer::finished`, with the names of OpenTelemetry's conventions for generative AI.

#![cfg(test)]

use anthropic_messages::{
    AnthropicMessage, MessageCreateRequest,
    observe::{Finished, Observer, Outcome},
};
use anthropic_messages_testing::{Reply, Server};
use opentelemetry::{
    KeyValue,
    metrics::{Counter, Histogram, Meter, MeterProvider as _},
};
use opentelemetry_sdk::metrics::{
    InMemoryMetricExporter, SdkMeterProvider,
    data::{AggregatedMetrics, MetricData},
};
use serde_json::json;

/// Records durations and token counts of all calls of a client.
#[derive(Debug)]
struct Metrics {
    duration: Histogram<f64>,
    input_tokens: Counter<u64>,
    output_tokens: Counter<u64>,
}

impl Metrics {
    fn new(meter: &Meter) -> Self {
        let boundaries = vec![0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92];
        Self {
            duration: meter
                .f64_histogram("gen_ai.client.inference.duration")
                .with_unit("s")
                .with_boundaries(boundaries)
                .build(),
            input_tokens: meter.u64_counter("gen_ai.client.inference.usage.input_tokens").with_unit("{token}").build(),
            output_tokens: meter
                .u64_counter("gen_ai.client.inference.usage.output_tokens")
                .with_unit("{token}")
                .build(),
        }
    }
}

impl Observer for Metrics {
    fn finished(&self, call: &Finished<'_>) {
        if !call.operation.starts_with("create_message") {
            return;
        }
        let mut labels = vec![
            KeyValue::new("gen_ai.operation.name", "chat"),
            KeyValue::new("gen_ai.provider.name", "anthropic"),
            KeyValue::new("gen_ai.request.model", call.model.unwrap_or_default().to_owned()),
        ];
        if let Some(model) = call.response_model {
            labels.push(KeyValue::new("gen_ai.response.model", model.to_owned()));
        }
        if let Some(usage) = call.usage {
            let count = |tokens: i64| u64::try_from(tokens).unwrap_or_default();
            self.input_tokens.add(count(usage.total_input_tokens()), &labels);
            self.output_tokens.add(count(usage.output_tokens.unwrap_or_default()), &labels);
        }
        if let Outcome::Failed(error) = call.outcome {
            labels.push(KeyValue::new("error.type", error.kind().as_str()));
        }
        self.duration.record(call.elapsed.as_secs_f64(), &labels);
    }
}

#[tokio::test]
async fn durations_and_tokens_are_recorded() {
    let exporter = InMemoryMetricExporter::default();
    let provider = SdkMeterProvider::builder().with_periodic_exporter(exporter.clone()).build();
    let server = Server::start().unwrap();
    let usage = json!({"input_tokens": 3, "cache_read_input_tokens": 9000, "output_tokens": 5});
    server.reply(Reply::text("Hi").field("usage", usage)).then(Reply::error(404, "not_found_error", "no"));
    let client = server.client_builder().observer(Metrics::new(&provider.meter("test"))).build().unwrap();

    let request = MessageCreateRequest::new("claude-sonnet-5", [AnthropicMessage::user("Hello")], 1024);
    client.create_message(&request).await.unwrap();
    client.create_message(&request).await.unwrap_err();
    provider.force_flush().unwrap();

    let (mut durations, mut tokens) = (Vec::new(), Vec::new());
    for metric in exporter
        .get_finished_metrics()
        .unwrap()
        .iter()
        .flat_map(|batch| batch.scope_metrics())
        .flat_map(|scope| scope.metrics())
    {
        match metric.data() {
            AggregatedMetrics::F64(MetricData::Histogram(histogram)) => {
                for point in histogram.data_points() {
                    let error = point.attributes().find(|label| label.key.as_str() == "error.type");
                    durations.push((
                        metric.name().to_owned(),
                        error.map(|error| error.value.to_string()),
                        point.count(),
                    ));
                }
            }
            AggregatedMetrics::U64(MetricData::Sum(sum)) => {
                tokens.extend(sum.data_points().map(|point| (metric.name().to_owned(), point.value())));
            }
            other => panic!("{other:?}"),
        }
    }
    durations.sort();
    tokens.sort();
    let duration = "gen_ai.client.inference.duration".to_owned();
    assert_eq!(durations, [(duration.clone(), None, 1), (duration, Some("not_found".to_owned()), 1)]);
    let input = ("gen_ai.client.inference.usage.input_tokens".to_owned(), 9003);
    let output = ("gen_ai.client.inference.usage.output_tokens".to_owned(), 5);
    assert_eq!(tokens, [input, output]);
}
