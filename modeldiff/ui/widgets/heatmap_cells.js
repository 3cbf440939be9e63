// What every picture of a heatmap needs of its cells: where they are, the way from one to another by
// the keyboard, and a ring round one. It stands before the code of a component that uses it.

const SVG = "http://www.w3.org/2000/svg"
const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }

const cellsOf = (host) => [...host.querySelectorAll("[data-cell]")]
const boxOf = (cell) => {
  const rect = cell.querySelector("rect")
  const [x, y, width, height] = ["x", "y", "width", "height"].map((name) => Number(rect.getAttribute(name)))
  return { x, y, width, height }
}
const middleOf = ({ x, y, width, height }) => ({ x: x + width / 2, y: y + height / 2 })

// The cell that a key leads to. `layered`: by number, whether a cell is a component's in a layer.
function nextCell(host, cell, key, layered, turned) {
  const box = boxOf(cell), from = middleOf(box)
  const cells = cellsOf(host).filter((one) => one !== cell)
  if (key === "Home" || key === "End") {
    // The first and the last layer of the same component.
    const [along, aside] = turned ? ["y", "x"] : ["x", "y"]
    const line = [cell, ...cells].filter((one) =>
      Math.abs(middleOf(boxOf(one))[aside] - from[aside]) < 1 && layered[Number(one.dataset.cell)])
    line.sort((one, other) => boxOf(one)[along] - boxOf(other)[along])
    return key === "Home" ? line[0] : line.at(-1)
  }
  const [dx, dy] = ARROWS[key]
  let best, least = Infinity
  for (const other of cells) {
    const at = boxOf(other), to = middleOf(at)
    const ahead = dx ? dx * (to.x - from.x) : dy * (to.y - from.y)
    // Nothing is aside that lies over against any part of the cell.
    const gap = dx
      ? Math.max(at.y - from.y, from.y - at.y - at.height, 0)
      : Math.max(at.x - from.x, from.x - at.x - at.width, 0)
    if (ahead > 0.5 && ahead + 20 * gap < least) [best, least] = [other, ahead + 20 * gap]
  }
  return best
}

// A ring round a cell (or round none), of this name: the one before goes.
function ringCell(host, cell, name) {
  for (const old of host.querySelectorAll(`.mark-${name}`)) old.remove()
  if (!cell) return
  const { x, y, width, height } = boxOf(cell)
  for (const css of ["halo", "ring"]) {
    const rect = document.createElementNS(SVG, "rect")
    rect.setAttribute("class", `${css} mark-${name}`)
    Object.entries({ x: x - 1, y: y - 1, width: width + 2, height: height + 2, rx: 2 })
      .forEach(([key, value]) => rect.setAttribute(key, value))
    host.firstElementChild.append(rect)
  }
}

// Cells with their numbers or without; their signs stay, and so do the margins.
function showNumbers(host, shown) {
  for (const text of host.querySelectorAll("[data-cell]:not(:has(> .hit)) text")) {
    if (/^[▲≥]?[\d.]+$/.test(text.textContent)) text.style.display = shown ? "" : "none"
  }
}
