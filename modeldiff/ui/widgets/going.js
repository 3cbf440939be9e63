// Goes to another address of the app as Back and Forward do: page and query at once, which is one
// entry of the browser's history. Where the server changes both, its query comes first, and is an
// entry of the old page.
const addressOf = (path, query) => {
  const root = document.baseURI.replace(/[^/]*$/, "")
  const text = new URLSearchParams(query).toString()
  return new URL(path, root).pathname + (text && `?${text}`)
}
const go = (path, query) => {
  const address = addressOf(path, query)
  if (location.pathname + location.search === address) return
  history.pushState({}, "", address)
  dispatchEvent(new PopStateEvent("popstate", { state: {} }))
}
