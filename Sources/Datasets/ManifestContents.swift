import Checkpoints
import Runtime

/// The rows of a manifest in packed form: texts by number.
struct ManifestContents: Sendable {
  /// Names of videos; those that only occur as references have numbers too.
  private(set) var videos = TextIndex()
  /// Conditions, categories and splits.
  private(set) var words = TextIndex()
  private var captions = TextStore()
  private(set) var rows: [PackedRow] = []
  /// Video numbers; each row has a range of them.
  private(set) var references: [UInt32] = []
  /// Row of a video plus one, by its number; 0 without a row.
  private var rowOfVideo: [UInt32] = []

  struct PackedRow: Sendable {
    let video: UInt32
    let condition: UInt32
    let category: UInt32
    let split: UInt32
    let caption: TextStore.Place
    let firstReference: Int
    let referenceCount: UInt32
    let score: Float
    let isValid: Bool
  }

  /// Adds a row; throws why it cannot be used, and then leaves these contents as they were but for new texts.
  mutating func append(_ record: CSVRecord, _ columns: CSVColumns) throws(FieldProblem) {
    typealias Column = Manifest.Column
    let name = try columns.requiredText(Column.video, of: record)
    guard let path = DataFolder.normalized(name) else {
      throw FieldProblem(
        name.isEmpty ? "'\(Column.video)' is empty" : "'\(Column.video)' must be a path inside of the data folder")
    }
    let condition = try columns.requiredText(Column.condition, of: record)
    guard !condition.isEmpty else { throw FieldProblem("'\(Column.condition)' is empty") }
    let score = try columns.number(Column.score, of: record) ?? 0
    guard (0...100).contains(score) else { throw FieldProblem("'\(Column.score)' must be from 0 to 100, not \(score)") }
    let valid = try columns.number(Column.valid, of: record) ?? 1
    let caption = try columns.requiredText(Column.caption, of: record)
    let split = try columns.requiredText(Column.split, of: record)
    let category = try columns.text(Column.category, of: record) ?? Self.topFolder(of: path)
    let listed = try Self.references(try columns.requiredText(Column.references, of: record))

    let video = videos.number(of: path)
    guard row(ofVideo: video) == nil else {
      throw FieldProblem("the same video as an earlier row; the first one counts")
    }
    let first = references.count
    for name in listed {
      // A path that leads out of the folder is no reference; others may be.
      if let path = DataFolder.normalized(name) { references.append(videos.number(of: path)) }
    }
    rows.append(
      PackedRow(
        video: video, condition: words.number(of: condition), category: words.number(of: category),
        split: words.number(of: split), caption: captions.append(caption), firstReference: first,
        referenceCount: UInt32(references.count - first), score: Float(score), isValid: valid > 0))
    if rowOfVideo.count < videos.count {
      rowOfVideo.append(contentsOf: repeatElement(0, count: videos.count - rowOfVideo.count))
    }
    rowOfVideo[Int(video)] = UInt32(rows.count)
  }

  /// The row of a video; nil if it has none, as references may.
  func row(ofVideo video: UInt32) -> Int? {
    guard Int(video) < rowOfVideo.count, rowOfVideo[Int(video)] > 0 else { return nil }
    return Int(rowOfVideo[Int(video)]) - 1
  }

  /// Video numbers of the references that a row lists.
  func references(of row: Int) -> ArraySlice<UInt32> {
    references[rows[row].firstReference..<rows[row].firstReference + Int(rows[row].referenceCount)]
  }

  func row(_ index: Int) -> Manifest.Row {
    let packed = rows[index]
    return Manifest.Row(
      video: videos[packed.video], references: references(of: index).map { videos[$0] },
      caption: captions[packed.caption], condition: words[packed.condition], category: words[packed.category],
      split: words[packed.split], score: Double(packed.score), isValid: packed.isValid)
  }

  var byteCount: Int {
    videos.byteCount + words.byteCount + captions.byteCount + references.capacity * 4 + rowOfVideo.capacity * 4
      + rows.capacity * MemoryLayout<PackedRow>.stride
  }

  private static func topFolder(of path: String) -> String {
    let parts = path.split(separator: "/")
    return parts.count > 1 ? String(parts[0]) : "other"
  }

  /// A JSON list of paths, as the published table has it; an empty field is an empty list.
  private static func references(_ text: String) throws(FieldProblem) -> [String] {
    guard !text.isEmpty else { return [] }
    var text = text
    let value: JSONValue?
    do {
      value = try text.withUTF8 { try JSONValue(UnsafeRawBufferPointer($0)) }
    } catch {
      value = nil
    }
    guard case .list(let elements) = value else {
      throw FieldProblem("'\(Manifest.Column.references)' is not a JSON list: '\(printable(text, limit: 40))'")
    }
    return try elements.map { element throws(FieldProblem) in
      guard case .string(let name) = element else {
        throw FieldProblem("'\(Manifest.Column.references)' holds something other than paths")
      }
      return name
    }
  }
}
