// What the forms have in common: one button, one request, and a line that says what became of it.

const form = document.getElementById("form");
const told = document.getElementById("told");
const unreachable = "The server does not answer. Try again shortly.";

export const token = new URLSearchParams(location.hash.slice(1)).get("token");

export function tell(text) {
  told.textContent = text;
}

// Shows the form.
export function ask(text) {
  tell(text);
  form.hidden = false;
}

// There is nothing more to do here: the token goes out of the address, too.
export function finish(text) {
  form.hidden = true;
  history.replaceState(null, "", location.pathname);
  tell(text);
}

export function post(path, body) {
  return fetch(`/api/v1${path}`, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(body),
  });
}

// What the server says is wrong.
export async function explain(answer) {
  const problem = await answer.json();
  tell((problem.errors || []).map((error) => error.message).join(" ") || problem.detail);
}

// `begin` says what to do; `submit` is given the fields, once at a time.
export function run(begin, submit) {
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const button = form.querySelector("button");
    button.disabled = true;
    tell("One moment…");
    await submit(new FormData(form)).catch(() => tell(unreachable));
    button.disabled = false;
  });
  begin().catch(() => tell(unreachable));
}

// A form behind a link of a mail. `body` makes the request of token and fields, or answers nothing when it has told what is wrong.
export function runLink({ path, intro, body, done, missing, conflict }) {
  const begin = async () => {
    if (token) {
      ask(intro);
    } else {
      tell("Open the whole link of the mail: its last part is missing here.");
    }
  };
  run(begin, async (fields) => {
    const sent = body(fields);
    if (!sent) {
      return;
    }
    const answer = await post(path, { token, ...sent });
    if (answer.status === 204) {
      finish(done);
    } else if (answer.status === 400) {
      finish(`This link is not good any more: it was used, it is too old, or a newer one was sent. ${missing}`);
    } else if (answer.status === 409 && conflict) {
      finish(conflict);
    } else {
      await explain(answer);
    }
  });
}
