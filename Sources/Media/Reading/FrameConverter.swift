import CFFmpeg

/// Turns decoded frames of any pixel format into upright RGB24.
///
/// YUV is converted with the matrix and range that the frame names; without a name with BT.601, and full range for grey
/// and `yuvj` formats, limited range otherwise, as FFmpeg itself does. Alpha is dropped and 16-bit samples keep their
/// high byte, as Pillow's `convert("RGB")` does. Transfer functions and primaries are left alone.
final class FrameConverter {
  private let path: String
  private let streamOrientation: Orientation
  private let chroma: ChromaReading
  private var scaler: Scaler?
  private var scalerForm: Scaler.Form?
  private var rgb: Frame?

  init(streamOrientation: Orientation, chroma: ChromaReading = .interpolated, path: String) {
    self.streamOrientation = streamOrientation
    self.chroma = chroma
    self.path = path
  }

  /// An upright clip of the one frame.
  func clip(of frame: UnsafeMutablePointer<AVFrame>, frameRate: FrameRate) throws -> VideoClip {
    let size = FrameSize(width: Int(frame.pointee.width), height: Int(frame.pointee.height))
    let orientation = orientation(of: frame)
    let converted = try convertedFrame(frame, size: size)
    guard let data = converted.pointer.pointee.data.0 else { throw MediaFailure.outOfMemory(path: path) }
    let stride = Int(converted.pointer.pointee.linesize.0)
    return VideoClip(size: orientation.shownSize(of: size), frameCount: 1, frameRate: frameRate) { output in
      // A clip of one frame has bytes.
      orientation.copy(data, stride: stride, stored: size, into: output.baseAddress!)
    }
  }

  /// The size at which a frame is shown, without converting it.
  func shownSize(of frame: UnsafeMutablePointer<AVFrame>) -> FrameSize {
    orientation(of: frame).shownSize(
      of: FrameSize(width: Int(frame.pointee.width), height: Int(frame.pointee.height)))
  }

  private func orientation(of frame: UnsafeMutablePointer<AVFrame>) -> Orientation {
    if let matrix = vap_frame_display_matrix(frame) { return Orientation(displayMatrix: matrix) }
    // The decoders of JPEG, TIFF and WebP pass EXIF on as text.
    if let entry = av_dict_get(frame.pointee.metadata, "Orientation", nil, 0), let value = entry.pointee.value,
      let number = Int(String(cString: value).filter { $0.isNumber }), let orientation = Orientation(exif: number)
    {
      return orientation
    }
    return streamOrientation
  }

  private func convertedFrame(_ frame: UnsafeMutablePointer<AVFrame>, size: FrameSize) throws -> Frame {
    let format = AVPixelFormat(rawValue: frame.pointee.format)
    guard let description = av_pix_fmt_desc_get(format) else {
      throw MediaFailure.library(path: path, action: "convert pixels", reason: "unknown pixel format")
    }
    let target = try reusedFrame(size)
    if Self.holdsWholeWords(description.pointee) {
      copyHighBytes(of: frame, description.pointee, size, into: target.pointer)
      return target
    }
    let isYUV = description.pointee.flags & UInt64(AV_PIX_FMT_FLAG_RGB) == 0 && description.pointee.nb_components >= 3
    var form = Scaler.Form(size: size, format: format)
    form.matrix = Self.matrix(frame.pointee.colorspace)
    switch frame.pointee.color_range {
    case AVCOL_RANGE_JPEG: form.isFullRange = true
    case AVCOL_RANGE_MPEG: form.isFullRange = false
    default: form.isFullRange = !isYUV || String(cString: description.pointee.name).hasPrefix("yuvj")
    }
    if form != scalerForm {
      let rgb24 = Scaler.Form(size: size, format: AV_PIX_FMT_RGB24)
      scaler = try Scaler(from: form, to: rgb24, chroma: chroma, path: path)
      scalerForm = form
    }
    try scaler?.convert(frame, into: target.pointer, path: path)
    return target
  }

  private func reusedFrame(_ size: FrameSize) throws -> Frame {
    if let rgb, rgb.pointer.pointee.width == size.width, rgb.pointer.pointee.height == size.height { return rgb }
    let frame = try Frame(size, format: AV_PIX_FMT_RGB24, path: path)
    rgb = frame
    return frame
  }

  private static func matrix(_ colorSpace: AVColorSpace) -> Int32 {
    switch colorSpace {
    case AVCOL_SPC_BT709: SWS_CS_ITU709
    case AVCOL_SPC_BT2020_NCL, AVCOL_SPC_BT2020_CL: SWS_CS_BT2020
    case AVCOL_SPC_SMPTE240M: SWS_CS_SMPTE240M
    case AVCOL_SPC_FCC: SWS_CS_FCC
    default: SWS_CS_ITU601
    }
  }

  /// Packed grey or RGB whose samples are 16-bit integers: the scaler would send them through rounded YUV.
  private static func holdsWholeWords(_ description: AVPixFmtDescriptor) -> Bool {
    let isGrey = description.nb_components <= 2
    let isPackedRGB =
      description.flags & UInt64(AV_PIX_FMT_FLAG_RGB) != 0 && description.flags & UInt64(AV_PIX_FMT_FLAG_PLANAR) == 0
    return (isGrey || isPackedRGB) && description.comp.0.depth == 16
      && description.flags & UInt64(AV_PIX_FMT_FLAG_FLOAT) == 0
  }

  private func copyHighBytes(
    of frame: UnsafeMutablePointer<AVFrame>, _ description: AVPixFmtDescriptor, _ size: FrameSize,
    into target: UnsafeMutablePointer<AVFrame>
  ) {
    guard let source = frame.pointee.data.0, let output = target.pointee.data.0 else { return }
    let isGrey = description.nb_components <= 2
    let high = description.flags & UInt64(AV_PIX_FMT_FLAG_BE) != 0 ? 0 : 1
    let components = [description.comp.0, description.comp.1, description.comp.2]
    for y in 0..<size.height {
      let line = source + y * Int(frame.pointee.linesize.0)
      let row = output + y * Int(target.pointee.linesize.0)
      for x in 0..<size.width {
        for channel in 0..<3 {
          let component = components[isGrey ? 0 : channel]
          row[x * 3 + channel] = line[x * Int(component.step) + Int(component.offset) + high]
        }
      }
    }
  }
}
