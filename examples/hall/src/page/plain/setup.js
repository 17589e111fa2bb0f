// The link that the hall printed carries the token; it goes into the request and out of the address bar.
const token = new URLSearchParams(location.search).get("token") ?? "";
history.replaceState(null, "", location.pathname);

document.querySelector("form").addEventListener("submit", async (event) => {
  event.preventDefault();
  const fields = new FormData(event.target);
  const status = document.querySelector("[role=status]");
  const answer = await fetch("api/v1/setup", {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ token, username: fields.get("username"), password: fields.get("password") }),
  });
  const said = await answer.json();
  status.textContent = answer.ok ? `${said.account.username} administers this hall now and is signed in.` : said.detail;
});
