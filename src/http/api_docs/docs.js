"use strict";

const METHODS = ["get", "post", "put", "patch", "delete"];

/// An element with children; texts become text, never markup.
function make(name, classes, ...children) {
  const element = document.createElement(name);
  element.className = classes;
  element.append(...children.filter((child) => child !== undefined && child !== null));
  return element;
}

function table(rows) {
  return make("table", "", ...rows.map((cells) => make("tr", "", ...cells.map((cell) => make("td", "", cell)))));
}

function code(text) {
  return make("code", "", text);
}

/// A schema in a few words; what it refers to is shown once, below its name.
function shape(schema, schemas, depth = 0) {
  if (!schema) {
    return "";
  }
  if (schema.$ref) {
    const name = schema.$ref.split("/").pop();
    return depth > 3 ? name : shape(schemas[name], schemas, depth + 1);
  }
  const either = schema.oneOf || schema.anyOf;
  if (either) {
    return either.map((one) => shape(one, schemas, depth)).join(" | ");
  }
  if (schema.allOf) {
    return schema.allOf.map((one) => shape(one, schemas, depth)).join(" & ");
  }
  const types = [].concat(schema.type || "any");
  if (types.includes("array")) {
    return [`[${shape(schema.items, schemas, depth)}]`, ...types.filter((type) => type !== "array")].join(" | ");
  }
  if (schema.properties) {
    const pad = "  ".repeat(depth + 1);
    const required = schema.required || [];
    const fields = Object.entries(schema.properties).map(([name, field]) => {
      const note = field.description ? `  // ${field.description.replace(/\s+/g, " ")}` : "";
      return `${pad}${name}${required.includes(name) ? "" : "?"}: ${shape(field, schemas, depth + 1)}${note}`;
    });
    return `{\n${fields.join("\n")}\n${"  ".repeat(depth)}}`;
  }
  return types.join(" | ") + (schema.format ? ` (${schema.format})` : "");
}

function bodyOf(content, schemas) {
  const [type, first] = Object.entries(content || {})[0] || [];
  return first && make("pre", "", `${type}\n${shape(first.schema, schemas)}`);
}

function rolesOf(operation) {
  const needs = (operation.security || []).flatMap((scheme) => Object.values(scheme).flat());
  return needs.length ? `for ${needs.join(", ")}` : "public";
}

function show(method, path, operation, schemas) {
  const parameters = (operation.parameters || []).map((one) => [code(one.name), one.in, one.description || ""]);
  const responses = Object.entries(operation.responses).map(([status, response]) => {
    const ours = !Object.keys(response.content || {}).includes("application/problem+json");
    const what = make("div", "", response.description, ours ? bodyOf(response.content, schemas) : undefined);
    return [code(status), what, Object.keys(response.headers || {}).join(", ")];
  });
  return make("details", "",
    make("summary", "", make("span", "method", method.toUpperCase()), code(path)),
    make("p", "", operation.summary || "", " ", operation.description || ""),
    make("p", "roles", rolesOf(operation)),
    parameters.length ? make("h3", "", "Parameters") : undefined,
    parameters.length ? table(parameters) : undefined,
    operation.requestBody ? make("h3", "", "Body") : undefined,
    operation.requestBody ? bodyOf(operation.requestBody.content, schemas) : undefined,
    make("h3", "", "Answers"),
    table(responses));
}

async function begin() {
  const answer = await fetch("/api/openapi.json");
  const contract = await answer.json();
  const schemas = contract.components.schemas;
  const byTag = new Map();
  for (const [path, item] of Object.entries(contract.paths)) {
    for (const method of METHODS.filter((method) => item[method])) {
      const tag = item[method].tags[0];
      byTag.set(tag, [...(byTag.get(tag) || []), show(method, path, item[method], schemas)]);
    }
  }
  const place = document.getElementById("operations");
  for (const [tag, operations] of byTag) {
    place.append(make("h2", "", tag), ...operations);
  }
  document.getElementById("told").textContent = contract.info.description;
}

begin().catch(() => {
  document.getElementById("told").textContent = "The server does not answer. Try again shortly.";
});
