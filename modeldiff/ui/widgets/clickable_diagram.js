// Draws one of a few SVGs of the same diagram, and says which box was chosen.
//
// The SVG is written into a child, whose handlers are assigned anew at each run: none pile up.
// Where the picture changes under the reader (a diff that runs, a layer after the other), the
// keyboard's focus stays. What a box tells is shown at once for the mouse and the keyboard alike,
// and hidden by Escape; the browser's own tooltip for it is late, and for the mouse alone.

// A wider drawing is taken from this share of its own size on; none grows over this, and below the
// size at which it can be read it is scrolled.
const LEAST = 0.8, LEAST_SLIDE = 0.45, MOST = 1.3, READABLE = 0.65

function sizeOf(svg) {
  const [, width, height] = /viewBox="[^ ]+ [^ ]+ ([^ ]+) ([^ "]+)/.exec(svg)
  return { width: Number(width), height: Number(height) }
}

export default function ({ parentElement, data, setStateValue }) {
  const find = (name) => parentElement.querySelector(`.${name}`)
  const stage = find("stage"), host = find("host"), tip = find("tip"), full = find("full"), pair = find("pair")

  const say = (news) =>
    setStateValue("view", { selected: data.selected, layer: data.layer, ...news })

  const isFull = () => host.getRootNode().fullscreenElement === stage

  const choose = () => {
    const room = host.clientWidth
    if (isFull()) {
      const high = stage.clientHeight * 0.96 - pair.offsetHeight
      const scaled = ["tall", "wide", "landscape"].filter((name) => data[name]).map((name) => {
        const size = sizeOf(data[name])
        return { name, scale: Math.min(room / size.width, high / size.height), size }
      })
      const best = scaled.reduce((one, other) => (other.scale > one.scale ? other : one))
      return { name: best.name, width: best.size.width * best.scale }
    }
    const enough = (name, share) => data[name] && room >= share * sizeOf(data[name]).width
    const name =
      data.slide && enough("landscape", LEAST_SLIDE) ? "landscape"
      : enough("wide", LEAST) ? "wide" : "tall"
    const { width, height } = sizeOf(data[name])
    const most = MOST * width
    // A slide is to be seen in one piece.
    const seen = name === "landscape" ? (window.innerHeight - 24) * width / height : most
    const fits = Math.min(room, most, Math.max(seen, LEAST * width))
    return { name, width: name === "landscape" ? fits : Math.max(fits, READABLE * width) }
  }

  const tell = (node) => {
    tip.textContent = node.dataset.told
    tip.hidden = false
    const frame = stage.getBoundingClientRect(), box = node.getBoundingClientRect()
    const left = Math.min(box.left - frame.left, frame.width - tip.offsetWidth)
    const under = box.bottom - frame.top + 6, over = box.top - frame.top - tip.offsetHeight - 6
    const fits = box.bottom + 6 + tip.offsetHeight < window.innerHeight
    tip.style.left = `${Math.max(left, 0)}px`
    tip.style.top = `${fits || over < 0 ? under : over}px`
  }
  const hush = () => { tip.hidden = true }

  const prepare = () => {
    for (const title of host.querySelectorAll("g > title")) {
      const node = title.parentElement
      node.dataset.told = title.textContent
      if (node.dataset.node) node.setAttribute("aria-description", title.textContent)
      title.remove()
    }
  }

  const draw = () => {
    if (!host.clientWidth) return
    const { name, width } = choose()
    const drawn = `${data.digest} ${name}`
    if (host.dataset.drawn !== drawn) {
      const focused = host.getRootNode().activeElement?.dataset?.node
      hush()
      host.innerHTML = data[name]
      host.dataset.drawn = drawn
      prepare()
      const nodes = [...host.querySelectorAll("[data-node]")]
      nodes.find((node) => node.dataset.node === focused)?.focus()
    }
    host.firstElementChild.style.width = `${width}px`
    for (const node of host.querySelectorAll("[data-told]")) {
      node.onmouseenter = () => tell(node)
      node.onmouseleave = hush
      node.onfocus = () => node.matches(":focus-visible") && tell(node)
      node.onblur = hush
    }
    for (const node of host.querySelectorAll("[data-node]")) {
      const chosen = node.dataset.node === data.selected
      node.classList.toggle("selected", chosen)
      node.setAttribute("aria-pressed", String(chosen))
      const take = () => say({ selected: chosen ? null : node.dataset.node })
      node.onclick = take
      node.onkeydown = (event) => {
        if (event.key === "Enter" || event.key === " ") {
          event.preventDefault()
          take()
        }
      }
    }
  }

  full.onclick = () => stage.requestFullscreen().then(() => stage.focus())
  stage.tabIndex = -1
  stage.onkeydown = (event) => {
    if (event.key === "Escape") hush()
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key]
    if (step && !event.ctrlKey && !event.altKey && !event.metaKey && !event.shiftKey) {
      event.preventDefault()
      // All layers together are before the first.
      const there = (data.layer ?? -1) + step
      if (there >= -1 && there < data.layers) say({ layer: there < 0 ? null : there })
    }
  }
  pair.textContent = data.title
  host.redraw = draw
  host.watch ??= new ResizeObserver(() => host.redraw())
  host.watch.observe(host)
  draw()
}
