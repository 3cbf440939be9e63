// Writes the lines and makes their links: a click goes by the app, so that nothing is loaded anew,
// and whoever opens one in a new tab has its address.

export default function ({ parentElement, data, setTriggerValue }) {
  const host = parentElement.querySelector(".host")
  if (host.dataset.html !== data.html) {
    host.innerHTML = data.html
    host.dataset.html = data.html
  }
  const root = document.baseURI.replace(/[^/]*$/, "")
  for (const link of host.querySelectorAll("a")) {
    const number = Number(link.dataset.n), { path, query } = data.links[number]
    const text = new URLSearchParams(query).toString()
    link.href = new URL(path, root).pathname + (text && `?${text}`)
    link.onclick = (event) => {
      if (event.ctrlKey || event.metaKey || event.shiftKey || event.button) return
      event.preventDefault()
      setTriggerValue("chosen", number)
    }
  }
}
