// Links to the pages. Their addresses are made when they are wanted: the pair and the view that they
// carry along may have changed since this was drawn.

const typing = (target) =>
  target.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName)

// Streamlit's tables scroll sideways where they have no room: then Tab reaches them.
const reachTables = () => {
  for (const part of document.querySelectorAll(".stTable, .stTable div")) {
    if (part.scrollWidth <= part.clientWidth || !/auto|scroll/.test(getComputedStyle(part).overflowX)) continue
    part.tabIndex = 0
    part.setAttribute("role", "region")
    part.setAttribute("aria-label", part.querySelector("table")?.getAttribute("aria-label") || "Table")
  }
}

// A click into a reference or a label selects it: who comes there mostly brings another one.
const selectWhole = (event) => {
  const field = event.target
  if (!field.matches?.(".st-key-pair_chooser input[type=text]") || document.activeElement === field) return
  const once = () => { if (field.selectionStart === field.selectionEnd) field.select() }
  field.addEventListener("pointerup", once, { once: true })
}

export default function ({ parentElement, data, setTriggerValue }) {
  const links = parentElement.querySelector(".links"), dialog = parentElement.querySelector("dialog")
  const names = data.links.map((link) => `${link.name} ${link.current}`).join()
  const root = document.baseURI.replace(/[^/]*$/, "")

  if (links.dataset.names !== names) {
    links.dataset.names = names
    links.replaceChildren(...data.links.map(({ name, title, path, current }) => {
      const link = document.createElement("a")
      link.textContent = title
      if (current) link.setAttribute("aria-current", "page")
      const address = () => { link.href = new URL(path, root).pathname + location.search }
      address()
      link.onpointerenter = link.onfocus = link.onpointerdown = address
      link.dataset.name = name
      return link
    }))
    links.querySelector("[aria-current]")?.scrollIntoView({ block: "nearest", inline: "nearest" })
  }
  for (const link of links.children) {
    link.onclick = (event) => {
      if (event.ctrlKey || event.metaKey || event.shiftKey || event.button) return
      event.preventDefault()
      setTriggerValue("page", link.dataset.name)
    }
  }

  const open = () => { if (!dialog.open) dialog.showModal() }
  parentElement.querySelector(".help").onclick = open
  const logout = parentElement.querySelector(".logout")
  logout.hidden = !data.visitor
  logout.title = data.visitor
  logout.onclick = () => setTriggerValue("logout", true)
  dialog.onclick = (event) => { if (event.target === dialog) dialog.close() }
  const onKey = (event) => {
    if (event.key === "?" && !typing(event.composedPath()[0])) open()
  }
  document.addEventListener("keydown", onKey)
  document.addEventListener("pointerdown", selectWhole)
  let due
  const later = () => { due ??= setTimeout(() => { due = undefined; reachTables() }, 200) }
  const grown = new MutationObserver(later)
  grown.observe(document.body, { childList: true, subtree: true })
  addEventListener("resize", later)
  later()
  return () => {
    grown.disconnect()
    clearTimeout(due)
    removeEventListener("resize", later)
    document.removeEventListener("keydown", onKey)
    document.removeEventListener("pointerdown", selectWhole)
  }
}
