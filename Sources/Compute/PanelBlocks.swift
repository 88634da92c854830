/// A product of many rows with panels of columns, walked block by block: each block's rows are laid out anew once, then all
/// panels meet them. Blocks have fixed sizes, so results do not depend on the number of threads.
struct PanelBlocks {
  /// Some rows and some of their terms.
  struct Block {
    let rows: Range<Int>
    let terms: Range<Int>
    let isFirst: Bool
    let isLast: Bool
  }

  private let rows: Tiling
  private let terms: Tiling
  private let panels: Tiling
  /// Rows that one thread lays out at a time.
  private static let preparedRows = 64

  /// - Parameter depth: most terms of a block.
  init(rows: Int, columns: Int, terms: Int, depth: Int) {
    self.rows = Tiling(count: rows, limit: PackedProduct.tileRows, multiple: 16)
    self.terms = Tiling(count: terms, limit: depth, multiple: 16)
    panels = Tiling(count: columns, limit: PackedProduct.panel, multiple: 16)
  }

  /// Most rows of a block, and most of its terms.
  var largestRows: Int { min(rows.size, rows.count) }
  var largestTerms: Int { terms.size }

  /// - Parameters:
  ///   - prepare: lays some rows of the block out, counted from its first.
  ///   - multiply: multiplies the block with a panel; adds to what earlier blocks of the same rows gave.
  func forEach(
    prepare: (_ block: Block, _ lines: Range<Int>) -> Void, multiply: (_ block: Block, _ panel: Range<Int>) -> Void
  ) {
    for row in 0..<rows.tiles {
      for term in 0..<terms.tiles {
        let block = Block(
          rows: rows[row], terms: terms[term], isFirst: term == 0, isLast: term == terms.tiles - 1)
        Workers.forEachBlock(of: Self.preparedRows, in: block.rows.count) { prepare(block, $0) }
        Workers.forEach(panels.tiles) { multiply(block, panels[$0]) }
      }
    }
  }
}
