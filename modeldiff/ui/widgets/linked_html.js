// Writes the lines and makes their links: a click goes within the app, so that nothing is loaded
// anew, and whoever opens one in a new tab has its address.

export default function ({ parentElement, data }) {
  const host = parentElement.querySelector(".host")
  if (host.dataset.html !== data.html) {
    host.innerHTML = data.html
    host.dataset.html = data.html
  }
  for (const link of host.querySelectorAll("a")) {
    const { path, query } = data.links[Number(link.dataset.n)]
    link.href = addressOf(path, query)
    link.onclick = (event) => {
      if (event.ctrlKey || event.metaKey || event.shiftKey || event.button) return
      event.preventDefault()
      go(path, query)
    }
  }
}
