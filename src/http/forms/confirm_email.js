import { runLink } from "/form.js";

runLink({
  path: "/me/email/confirm",
  intro: "Is this e-mail address yours, and shall your account have it?",
  body: () => ({}),
  done: "Done. From now on you sign in with this address.",
  missing: "If you can sign in with this address, all is well. Otherwise ask for it once more.",
  conflict: "This address has an account already: yours keeps the address that it has.",
});
