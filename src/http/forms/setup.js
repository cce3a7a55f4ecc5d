import { ask, explain, finish, post, run, tell, token } from "/form.js";

const isSetUp = "This vault is set up already.";

async function begin() {
  const answer = await fetch("/api/v1/setup");
  if (!answer.ok) {
    tell("The server does not answer. Try again shortly.");
  } else if (!(await answer.json()).needed) {
    tell(isSetUp);
  } else if (!token) {
    tell("Open the whole setup link that the server printed: its last part is missing here.");
  } else {
    ask("Who administers this vault?");
  }
}

async function submit(fields) {
  const body = { token, email: fields.get("email"), password: fields.get("password") };
  if (fields.get("display_name").trim()) {
    body.display_name = fields.get("display_name");
  }
  const answer = await post("/setup", body);
  if (answer.status === 201) {
    finish("Done. You can sign in now.");
  } else if (answer.status === 404) {
    finish(isSetUp);
  } else if (answer.status === 401) {
    tell("This setup link is not valid any more. Restart the server, or run `docuvault setup-link`, for a new one.");
  } else {
    await explain(answer);
  }
}

run(begin, submit);
