use std::str::FromStr;

use axum::extract::{FromRequestParts, Path};
use http::request::Parts;

use utoipa::IntoParams;
use utoipa::openapi::path::{Parameter, ParameterIn};
use utoipa::openapi::{KnownFormat, ObjectBuilder, SchemaFormat, Type};

use crate::error::ApiError;

/// The id in the path. What is not an id names nothing, like an id that nothing has.
pub struct Id<T>(pub T);

impl<T: FromStr, S: Send + Sync> FromRequestParts<S> for Id<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let Path(text) =
            Path::<String>::from_request_parts(parts, state).await.map_err(|_| ApiError::NotFound)?;
        text.parse().map(Self).map_err(|_| ApiError::NotFound)
    }
}

impl<T> IntoParams for Id<T> {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        let mut id = Parameter::new("id");
        let format = SchemaFormat::KnownFormat(KnownFormat::Uuid);
        id.schema = Some(ObjectBuilder::new().schema_type(Type::String).format(Some(format)).into());
        vec![id]
    }
}
