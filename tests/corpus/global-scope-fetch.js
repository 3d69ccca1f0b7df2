// A fetch outside a handler is refused, and the refusal can be caught.
let said = "nothing";
try {
  await fetch("https://example.com/");
} catch (error) {
  said = error.name;
}
export default { fetch: () => new Response(said) };
