//! Paths and operations: what they become, and which are left out.

use serde_json::json;

use crate::{generate, paths};

#[test]
fn operations_get_names_and_arguments() {
    let text = json!({"200": {"description": "", "content": {"application/json": {"schema": {"type": "string"}}}}});
    let outcome = generate(&paths(&json!({
        "/a/{id}": {
            "parameters": [{"name": "id", "in": "path", "required": true, "schema": {"type": "string"}}],
            "get": {"operationId": "getA", "parameters": [
                {"name": "limit", "in": "query", "schema": {"type": "integer"}},
                {"name": "q", "in": "query", "required": true, "schema": {"type": "string"}},
                {"name": "tags", "in": "query", "schema": {"type": "array", "items": {"type": "string"}}},
                {"name": "X-Trace", "in": "header", "schema": {"type": "string"}},
                {"name": "c", "in": "cookie", "schema": {"type": "string"}},
            ], "responses": text},
            "delete": {"responses": {"204": {"description": ""}}},
            "trace": {"responses": {}},
        },
        "/b/{undeclared}": {"get": {"operationId": "getA", "responses": text}},
    })));
    let outcome = outcome.unwrap();
    outcome.has(&[
        "async fn get_a(id: &str, q: &str, params: &types::GetAParams) -> String",
        "limit: Option<i64>",
        "tags: Option<Vec<String>>",
        "x_trace: Option<String>",
        "async fn delete_a_id(id: &str) -> ()",
        "async fn get_a2(undeclared: &str) -> String",
    ]);
    outcome.notes(&[
        "/paths/~1a~1{id}/trace: reqwest has no function for the method; the operation is left out",
        "/paths/~1a~1{id}/get/parameters/4: a parameter that is not in the path, the query or a header is left out",
        "/paths/~1b~1{undeclared}/get: the operation is called `get_a2`: `get_a` is taken",
    ]);
}

#[test]
fn bodies_and_answers_of_every_kind_are_taken() {
    let schema = json!({"schema": {"type": "object", "properties": {"x": {"type": "string"}}}});
    let ok = json!({"200": {"description": ""}});
    let outcome = generate(&paths(&json!({
        "/json": {"post": {"operationId": "json", "requestBody": {"required": true, "content": {"application/xml": {}, "application/json": schema}}, "responses": {
            "201": {"description": "", "content": {"application/problem+json": schema}}, "202": {"description": ""},
            "400": {"description": "", "content": {"text/plain": {}}}, "default": {"description": ""},
        }}},
        "/form": {"post": {"operationId": "form", "requestBody": {"required": true, "content": {"application/x-www-form-urlencoded": schema}}, "responses": ok}},
        "/bytes": {"post": {"operationId": "bytes", "requestBody": {"required": true, "content": {"image/png": {}}}, "responses": {"default": {"description": "", "content": {"text/csv": {}}}}}},
        "/any": {"get": {"operationId": "any", "responses": {"200": {"description": "", "content": {"application/json": {}}}}}},
        "/multipart": {"post": {"operationId": "multipart", "requestBody": {"required": true, "content": {"multipart/form-data": schema}}, "responses": ok}},
        "/mixed": {"post": {"operationId": "mixed", "requestBody": {"required": true, "content": {"multipart/mixed": schema}}, "responses": ok}},
        "/events": {"get": {"operationId": "events", "responses": {"200": {"description": "", "content": {"text/event-stream": {}}}}}},
    })));
    let outcome = outcome.unwrap();
    outcome.has(&[
        "async fn json(body: &types::JsonRequest) -> types::JsonByStatus",
        "async fn form(body: &types::FormRequest) -> ()",
        "async fn any() -> Json",
        "async fn events() -> ByteStream",
    ]);
    outcome.has(&["async fn multipart(body: &types::MultipartRequest) -> ()"]).lacks("async fn mixed");
    assert!(outcome.surface.contains("async fn bytes(body: B) -> ByteStream"), "{}", outcome.surface);
    assert!(
        outcome
            .notes
            .iter()
            .any(|note| note
                .ends_with("no media type of the body can be sent by generated code; the operation is left out")),
        "{:?}",
        outcome.notes
    );
}

#[test]
fn json_and_events_at_once_make_a_twin_for_the_stream() {
    let outcome = generate(&paths(&json!({"/m": {"post": {"operationId": "create",
        "requestBody": {"required": true, "content": {"application/json": {"schema": {"type": "object", "properties": {"stream": {"type": "boolean"}}}}}},
        "responses": {"200": {"description": "", "content": {"application/json": {"schema": {"type": "string"}}, "text/event-stream": {}}}},
    }}})));
    outcome
        .unwrap()
        .has(&[
            "async fn create(body: &types::CreateRequest) -> String",
            "async fn create_stream(body: &types::CreateRequest) -> ByteStream",
        ])
        .notes(&[]);
}

#[test]
fn shared_path_items_parameters_bodies_and_answers_are_followed() {
    let outcome = generate(&json!({"openapi": "3.1.0", "info": {"title": "t"},
        "paths": {"/a": {"$ref": "#/components/pathItems/A"}},
        "webhooks": {"hook": {"post": {"responses": {}}}},
        "components": {
            "pathItems": {"A": {"post": {"operationId": "a", "parameters": [{"$ref": "#/components/parameters/P"}],
                "requestBody": {"$ref": "#/components/requestBodies/B"}, "responses": {"200": {"$ref": "#/components/responses/R"}}}}},
            "parameters": {"P": {"name": "p", "in": "query", "schema": {"type": "boolean"}}},
            "requestBodies": {"B": {"required": true, "content": {"application/json": {"schema": {"type": "array", "items": {"type": "string"}}}}}},
            "responses": {"R": {"description": "", "content": {"application/json": {"schema": {"type": "integer"}}}}},
        },
    }));
    outcome
        .unwrap()
        .has(&["async fn a(body: &Vec<String>, params: &types::AParams) -> i64", "p: Option<bool>"])
        .notes(&["/webhooks/hook: a webhook is a request of the server; it is left out"]);
}

#[test]
fn a_document_without_version_paths_or_answers_is_one_all_the_same() {
    generate(&json!({"openapi": "3.1.0", "info": {"title": "t", "version": "v1 \u{fc}\n"}})).unwrap().notes(&[]);
    let outcome = generate(&json!({"openapi": "3.2.0", "info": {}, "webhooks": {"hook": {"post": {"responses": {}}}},
        "components": {"schemas": {"Hook": {"type": "object", "properties": {"x": {"type": "string"}}}}}}));
    let outcome = outcome.unwrap();
    outcome.has(&["struct Hook"]).lacks("async fn");
    outcome.notes(&["/webhooks/hook: a webhook is a request of the server; it is left out"]);
    generate(&paths(&json!({"/a": {"get": {}}}))).unwrap().has(&["async fn get_a() -> ()"]).notes(&[]);
}

#[test]
fn what_a_path_says_behind_the_question_mark_is_sent() {
    let outcome = generate(&paths(&json!({"/a?beta=true#words": {"get": {"operationId": "a", "responses": {}}}})));
    let outcome = outcome.unwrap();
    outcome.has(&["async fn a() -> ()"]).notes(&[]);
    assert!(outcome.source.contains("self.transport.url(\"/a?beta=true\")"), "{}", outcome.source);
}

#[test]
fn parameters_have_the_types_that_their_place_can_hold() {
    let outcome = generate(&paths(&json!({"/a/{id}": {"get": {"operationId": "a", "responses": {}, "parameters": [
        {"name": "id", "in": "path", "schema": {"type": "array", "items": {"type": "string"}}},
        {"name": "deep", "in": "query", "style": "deepObject", "schema": {"type": "object", "properties": {"x": {"type": "string"}}}},
        {"name": "json", "in": "query", "content": {"application/json": {"schema": {"type": "object"}}}},
        {"name": "kind", "in": "query", "required": true, "schema": {"enum": ["a", "b"]}},
        {"name": "kinds", "in": "query", "style": "pipeDelimited", "schema": {"type": "array", "minItems": 1, "items": {"enum": ["a", "b"]}}},
        {"name": "n", "in": "query", "schema": {"type": "integer", "maximum": 5}},
        {"name": "X-List", "in": "header", "schema": {"type": "array", "items": {"type": "integer"}}},
        {"name": "X-Kind", "in": "header", "schema": {"enum": ["a", "b"]}},
        {"name": "maybe", "in": "query", "schema": {"type": ["array", "null"], "items": {"type": ["integer", "null"]}}},
        {"name": "id", "in": "query", "schema": {"type": "string"}},
        {"name": "header_map", "in": "query", "schema": {"type": "string"}},
        {"name": "gone", "in": "path", "schema": {"type": "string"}},
    ]}}})));
    let outcome = outcome.unwrap();
    outcome.has(&[
        "async fn a(id: &str, kind: types::AKind, params: &types::AParams) -> ()",
        "deep: Option<types::ADeep>",
        "json: Option<Json>",
        "kinds: Option<Vec<types::AKind>>",
        "x_list: Option<String>",
        "x_kind: Option<types::AKind>",
        "maybe: Option<Vec<i64>>",
    ]);
    for code in [
        "with_style(crate::transport::Style::DeepObject)",
        "with_style(crate::transport::Style::Json)",
        "with_style(crate::transport::Style::Delimited(\"|\"))",
        "crate::json::check::Rule::MinItems(1u64)",
        "crate::json::check::Rule::Maximum(5f64)",
    ] {
        assert!(outcome.source.contains(code), "no `{code}` in:\n{}", outcome.source);
    }
    let notes: Vec<&str> =
        outcome.notes.iter().filter_map(|note| note.split_once(": ")).map(|(_, text)| text).collect();
    assert_eq!(
        notes,
        [
            "a parameter that is no scalar is taken as a string",
            "a parameter that is no scalar is taken as a string",
            "`id` has the Rust name of another argument; the parameter is left out",
            "`header_map` has the Rust name of another argument; the parameter is left out",
            "the path has no `{gone}`; the parameter is left out",
        ]
    );
}

#[test]
fn several_good_answers_are_one_type_or_an_enum_by_status() {
    let json =
        |schema: serde_json::Value| json!({"description": "", "content": {"application/json": {"schema": schema}}});
    let pet =
        json!({"description": "", "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Pet"}}}});
    let none = json!({"description": ""});
    let bytes = json!({"description": "", "content": {"image/png": {}}});
    let outcome = generate(&json!({"openapi": "3.1.0", "info": {"title": "t"},
        "paths": {"/a": {
            "put": {"operationId": "same", "responses": {"200": pet, "201": pet}},
            "post": {"operationId": "differ", "responses": {"204": none, "200": json(json!({"type": "integer"})), "2XX": pet, "default": json(json!({"type": "string"}))}},
            "get": {"operationId": "fallback", "responses": {"4XX": json(json!({"type": "string"})), "default": json(json!({"type": "boolean"}))}},
            "delete": {"operationId": "mixed", "responses": {"200": pet, "202": bytes}},
        }},
        "components": {"schemas": {"Pet": {"type": "object", "properties": {"x": {"type": "string"}}}}},
    }));
    let outcome = outcome.unwrap();
    outcome.has(&[
        "async fn same() -> types::Pet",
        "async fn differ() -> types::DifferByStatus",
        "enum DifferByStatus",
        "Status204",
        "Status200(i64)",
        "Status2XX(types::Pet)",
        "async fn fallback() -> bool",
        "async fn mixed() -> types::Pet",
    ]);
    assert!(outcome.source.contains("(201u16, 201u16, crate::transport::Answers::Json)"), "{}", outcome.source);
    assert!(outcome.source.contains("(204u16, 204u16, crate::transport::Answers::Nothing)"), "{}", outcome.source);
    outcome
        .notes(&["/paths/~1a/delete/responses: of several answers that are good, the first one with content counts"]);
}

#[test]
fn bodies_keep_their_media_type_and_may_be_left_out() {
    let body = |media_type: &str| json!({"requestBody": {"content": {media_type: {"schema": {"type": "object", "properties": {"x": {"type": "string"}}}}}}, "responses": {"204": {"description": ""}}});
    let mut form = body("application/x-www-form-urlencoded");
    form["requestBody"]["content"]["application/x-www-form-urlencoded"]["encoding"] =
        json!({"x": {"style": "deepObject"}});
    let outcome = generate(&paths(&json!({
        "/a": {"post": body("application/json"), "patch": body("application/merge-patch+json"), "put": body("text/csv")},
        "/b": {"post": form},
    })));
    let outcome = outcome.unwrap();
    outcome.has(&[
        "async fn post_a(body: Option<&types::PostARequest>) -> ()",
        "async fn patch_a(body: Option<&types::PatchARequest>) -> ()",
        "async fn post_b(body: Option<&types::PostBRequest>) -> ()",
    ]);
    for code in [
        "CONTENT_TYPE, \"application/merge-patch+json\")",
        "CONTENT_TYPE, \"text/csv\")",
        ".form_with(body.as_ref(), &[(\"x\", crate::transport::Style::DeepObject)])",
    ] {
        assert!(outcome.source.contains(code), "no `{code}` in:\n{}", outcome.source);
    }
    outcome.notes(&[]);
}

#[test]
fn the_parts_of_a_document_that_are_not_called_leave_notes() {
    let operation = json!({"responses": {}, "deprecated": true, "servers": [{"url": "https://other.example"}], "callbacks": {"done": {}}});
    let outcome = generate(
        &json!({"openapi": "3.2.0", "info": {"title": "t"}, "servers": [{"url": "https://api.example"}],
            "paths": {
                "/a": {"get": operation, "query": {"responses": {}}, "additionalOperations": {"LINK": {"responses": {}}}},
                "/b": {"servers": [{"url": "https://other.example"}], "get": {"responses": {}}},
            },
            "webhooks": {"hook": {"post": {"responses": {}}}},
            "components": {"securitySchemes": {"key": {"type": "apiKey", "in": "query", "name": "k"}, "header": {"type": "apiKey", "in": "header", "name": "k"}}},
        }),
    );
    let outcome = outcome.unwrap();
    assert!(outcome.source.contains("#[deprecated]\n    pub async fn get_a("), "{}", outcome.source);
    outcome.notes(&[
        "/webhooks/hook: a webhook is a request of the server; it is left out",
        "/components/securitySchemes/key: a key outside of the headers is not sent: the client's credential is a header",
        "/paths/~1a/additionalOperations/LINK: reqwest has no function for the method; the operation is left out",
        "/paths/~1a/query: reqwest has no function for the method; the operation is left out",
        "/paths/~1a/get/servers: a server of its own is not used: the operation is sent to the client's base URL",
        "/paths/~1a/get/callbacks: callbacks are requests of the server; they are left out",
        "/paths/~1b/servers: a server of its own is not used: the operation is sent to the client's base URL",
    ]);
}

#[test]
fn a_reference_out_of_the_document_is_an_error_with_a_remedy() {
    for part in
        [json!({"parameters": [{"$ref": "other.json#/p"}]}), json!({"responses": {"200": {"$ref": "other.json#/r"}}})]
    {
        let error = generate(&paths(&json!({"/a": {"get": part}}))).err().unwrap();
        assert!(error.contains("leads out of the document; bundle it with `redocly bundle`"), "{error}");
    }
}

#[test]
fn a_parameter_of_an_operation_with_a_twin_is_in_one_struct() {
    let outcome = generate(&paths(&json!({"/m": {"post": {"operationId": "create",
        "parameters": [{"name": "anthropic-beta", "in": "header", "schema": {"type": "string"}}],
        "requestBody": {"required": true, "content": {"application/json": {"schema": {"type": "object", "properties": {"stream": {"type": "boolean"}}}}}},
        "responses": {"200": {"description": "", "content": {"application/json": {"schema": {"type": "string"}}, "text/event-stream": {}}}},
    }}})));
    let outcome = outcome.unwrap();
    outcome.has(&[
        "async fn create(body: &types::CreateRequest, params: &types::CreateParams) -> String",
        "async fn create_stream(body: &types::CreateRequest, params: &types::CreateParams) -> ByteStream",
    ]);
    assert_eq!(outcome.source.matches("pub struct CreateParams").count(), 1);
}

/// A page of a list, as the three shapes have it.
fn page(members: &[&str]) -> serde_json::Value {
    let mut properties =
        json!({"data": {"type": "array", "items": {"type": "object", "properties": {"id": {"type": "string"}}}}});
    for member in members {
        properties[*member] = match *member {
            "has_more" => json!({"type": "boolean"}),
            _ => json!({"type": ["string", "null"]}),
        };
    }
    json!({"200": {"description": "", "content": {"application/json": {"schema": {"type": "object", "required": ["data"], "properties": properties}}}}})
}

fn query(names: &[&str]) -> serde_json::Value {
    names.iter().map(|name| json!({"name": name, "in": "query", "schema": {"type": "string"}})).collect()
}

#[test]
fn a_list_in_pages_gets_a_stream_of_pages_and_one_of_items() {
    let by_id = page(&["has_more", "first_id", "last_id"]);
    let outcome = generate(&paths(&json!({
        "/ids": {"get": {"operationId": "ids", "parameters": query(&["after_id", "before_id"]), "responses": by_id}},
        "/next": {"get": {"operationId": "next", "parameters": query(&["page"]), "responses": page(&["next_page"])}},
        "/token": {"get": {"operationId": "token", "parameters": query(&["page_token"]), "responses": page(&["has_more", "next_page"])}},
        "/a/{params}": {"get": {"operationId": "taken", "parameters": query(&["page"]), "responses": page(&["next_page"])}},
        "/off": {"get": {"operationId": "off", "x-pages": false, "parameters": query(&["page"]), "responses": page(&["next_page"])}},
        "/no": {"get": {"operationId": "no_parameter", "responses": by_id}},
        "/own": {"get": {"operationId": "own", "parameters": query(&["after"]), "responses": page(&["last"]),
            "x-pages": {"items": "data", "next": {"member": "last", "query": "after"}}}},
    })));
    let outcome = outcome.unwrap();
    outcome.has(&[
        "async fn ids(params: &types::IdsParams) -> types::IdsResponse",
        "fn ids_pages(params: &types::IdsParams) -> crate::Pages<types::IdsResponse>",
        "fn ids_all(params: &types::IdsParams) -> crate::PageItems<types::IdsResponseDataItem>",
        "fn next_all(params: &types::NextParams) -> crate::PageItems<types::NextResponseDataItem>",
        "fn token_all(params: &types::TokenParams) -> crate::PageItems<types::TokenResponseDataItem>",
        "fn taken_pages(params: &str, optional_params: &types::TakenParams) -> crate::Pages<types::TakenResponse>",
        "fn own_all(params: &types::OwnParams) -> crate::PageItems<types::OwnResponseDataItem>",
    ]);
    outcome.lacks("off_pages").lacks("no_parameter_pages").notes(&[]);
}

#[test]
fn a_mark_that_does_not_fit_is_an_error_with_the_place() {
    let responses = page(&["last", "has_more"]);
    let cases = [
        (json!({"items": "rows", "next": {"member": "last", "query": "after"}}), "the response has no list `rows`"),
        (json!({"next": {"member": "gone", "query": "after"}}), "`gone` must be a string of the response"),
        (json!({"next": {"member": "last", "query": "gone"}}), "`gone` an optional string in the query"),
        (json!({"next": {"member": "last"}}), "it needs a `member` of the page and a `query` parameter"),
        (json!({"has_more": "last", "next": {"member": "last", "query": "after"}}), "no boolean `last`"),
        (json!({}), "it needs `next`"),
    ];
    for (mark, problem) in cases {
        let operation =
            json!({"operationId": "a", "parameters": query(&["after"]), "responses": responses, "x-pages": mark});
        let error = generate(&paths(&json!({"/a": {"get": operation}}))).err().unwrap();
        assert!(error.contains(problem), "{error}");
        assert!(error.contains("#/paths/~1a/get/x-pages"), "{error}");
    }
}

#[test]
fn json_lines_are_a_stream_of_the_type_of_a_line() {
    let line = json!({"type": "object", "properties": {"id": {"type": "string"}}});
    let answer = |media_type: &str, media: serde_json::Value| json!({"responses": {"200": {"description": "", "content": {media_type: media}}}});
    let outcome = generate(&paths(&json!({
        "/a": {"get": answer("application/x-jsonl", json!({"schema": line}))},
        "/b": {"get": answer("application/jsonl; charset=utf-8", json!({"itemSchema": {"type": "integer"}}))},
        "/c": {"get": answer("application/x-ndjson", json!({}))},
        "/d": {"get": answer("application/x-jsonl", json!({"schema": {"type": "string", "format": "binary", "x-line-schema": {"type": "array", "items": {"type": ["string", "null"]}}}}))},
    })));
    outcome
        .unwrap()
        .has(&[
            "async fn get_a() -> crate::JsonLines<types::GetAResponse>",
            "async fn get_b() -> crate::JsonLines<i64>",
            "async fn get_c() -> crate::JsonLines<Json>",
            "async fn get_d() -> crate::JsonLines<Vec<Option<String>>>",
        ])
        .notes(&[]);
}

#[test]
fn a_form_of_several_parts_is_a_struct_with_files() {
    let file = json!({"type": "string", "format": "binary"});
    let schema = json!({"type": "object", "required": ["file", "kind"], "properties": {
        "file": file,
        "more": {"type": "array", "items": {"type": "string", "contentMediaType": "application/octet-stream"}},
        "maybe": {"anyOf": [file, {"type": "null"}]},
        "kind": {"enum": ["a", "b"]},
        "seconds": {"type": ["integer", "null"]},
        "tags": {"type": "array", "items": {"type": "string"}},
        "id": {"type": "string", "readOnly": true},
    }});
    let outcome = generate(&json!({"openapi": "3.1.0", "info": {"title": "t"},
        "paths": {"/files": {"post": {
            "operationId": "upload",
            "requestBody": {"required": true, "content": {"multipart/form-data": {"schema": {"$ref": "#/components/schemas/Body"}, "encoding": {"file": {"contentType": "image/png"}}}}},
            "responses": {"200": {"description": ""}},
        }}},
        "components": {"schemas": {"Body": schema}},
    }));
    let outcome = outcome.unwrap();
    outcome.has(&[
        "async fn upload(body: &types::UploadRequest) -> ()",
        "struct UploadRequest",
        "file: crate::FileUpload",
        "more: Option<Vec<crate::FileUpload>>",
        "maybe: Option<crate::FileUpload>",
        "kind: types::BodyKind",
        "seconds: Option<i64>",
        "tags: Option<Vec<String>>",
        "new(file: impl Into<crate::FileUpload>, kind: impl Into<types::BodyKind>)",
    ]);
    assert!(outcome.source.contains(r#"form.file("file", value, ::std::option::Option::Some("image/png"))"#));
    outcome.notes(&[]);
}
