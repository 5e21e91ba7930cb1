//! Answers to commands. Must never leave a command without one.

use serde_json::{Map, Value};
use tidings_model::{Refusal, TopicFilter};
use tidings_protocol::{Output, Outputs, Problem};

/// A subscribe command that waits for its answer.
pub(crate) struct Asked {
    pub(crate) id: Option<Value>,
    pub(crate) topics: Vec<(String, Result<TopicFilter, Problem>)>,
}

impl Asked {
    /// Each topic with its own result.
    pub(crate) fn results(&self, refused: &[(TopicFilter, Refusal)]) -> Vec<Value> {
        let result = |(topic, filter): &(String, Result<TopicFilter, Problem>)| {
            let problem = match filter {
                Err(problem) => Some(problem.clone()),
                Ok(filter) => {
                    refused.iter().find(|(f, _)| f == filter).map(|(_, refusal)| refusal.into())
                }
            };
            let mut object = Map::new();
            object.insert("topic".to_owned(), topic.as_str().into());
            match problem {
                None => drop(object.insert("code".to_owned(), 200.into())),
                Some(problem) => object.extend(coded(&problem)),
            }
            Value::Object(object)
        };
        self.topics.iter().map(result).collect()
    }

    /// Nothing was subscribed; each topic's own error is told where there is one.
    pub(crate) fn refuse(
        self,
        problem: &Problem,
        refused: &[(TopicFilter, Refusal)],
        out: &mut Outputs,
    ) {
        let mut more = coded(problem);
        if !refused.is_empty() || self.topics.iter().any(|(_, filter)| filter.is_err()) {
            more.insert("topics".to_owned(), self.results(refused).into());
        }
        answer(self.id, false, Value::Object(more), out);
    }
}

/// `{"id":…,"ok":…}` and what else there is to say.
pub(crate) fn answer(id: Option<Value>, ok: bool, more: Value, out: &mut Outputs) {
    let mut object = Map::new();
    if let Some(id) = id {
        object.insert("id".to_owned(), id);
    }
    object.insert("ok".to_owned(), ok.into());
    if let Value::Object(more) = more {
        object.extend(more);
    }
    text(&Value::Object(object), out);
}

pub(crate) fn fail(id: Option<Value>, problem: &Problem, out: &mut Outputs) {
    answer(id, false, Value::Object(coded(problem)), out);
}

/// A problem as part of an answer: `code`, then what it always says.
fn coded(problem: &Problem) -> Map<String, Value> {
    let mut object = Map::new();
    object.insert("code".to_owned(), problem.status.as_u16().into());
    object.extend(problem.json());
    object
}

pub(crate) fn text(json: &Value, out: &mut Outputs) {
    out.push(Output::text(json.to_string()));
}
