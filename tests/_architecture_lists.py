"""What stands outside of a rule of `test_architecture.py`, each with its reason. These lists only shrink."""

AGAINST_THE_ORDER: dict[str, str] = {}
"""Imports of what stands below in the order."""

CIRCLES: dict[str, str] = {}
"""Ways from a file back to itself."""

OUTSIDE_OF_FAMILIES: dict[str, str] = {
    "commands/compare.py -> octree": "compares ways to code octrees",
    "runs/comparisons/codecs.py -> octree": "compares ways to code octrees",
    "shapes/field.py -> octree": "surfaces are octrees of distances",
    "shapes/file.py -> octree": "surfaces are octrees of distances",
    "shapes/fit_shape.py -> octree": "surfaces are octrees of distances",
    "shapes/fitter.py -> octree": "surfaces are octrees of distances",
    "shapes/isosurface.py -> octree": "surfaces are octrees of distances",
}
"""Files outside of `families/`, and the family that they import from."""

BETWEEN_FAMILIES: dict[str, str] = {}
"""Imports within `families/` from one family to another, or past its front."""

ASKED_FOR: dict[str, str] = {}
"""Files outside of a family's folder that ask whether something is of its class."""

OTHER_NAMES: dict[str, str] = {
    "tensor_planes": "collections say tensorf, the name of the paper",
}
"""Folders of families that have another name in files and commands."""

LACKING: dict[str, str] = {}
"""What a family lacks."""

LONG: dict[str, str] = {}
"""Files of more than 300 lines."""

SHORT: dict[str, str] = {
    "__main__.py": "`python -m manyfields` asks for this file",
    "_lock.py": "all may import it, so it imports little",
    "_version.py": "packaging reads it",
    "commands/_run_folder.py": "what some commands share",
    "commands/_tables.py": "what some commands share",
    "commands/demo.py": "a command that has little to say",
    "commands/eval.py": "a command that has little to say",
    "commands/extract.py": "a command that has little to say",
    "commands/inventory.py": "a command that has little to say",
    "commands/stream.py": "a command that has little to say",
    "commands/verify.py": "a command that has little to say",
    "compression/halves.py": "one small thing, asked for from several places",
    "compression/hull.py": "one small thing, asked for from several places",
    "errors.py": "all may import it, so it imports little",
    "evaluation/instances.py": "one small thing, asked for from several places",
    "families/factor_fields/importance.py": "one small thing, asked for from several places",
    "families/float16.py": "the first codec of several families",
    "families/fused_planes/codebooks/settings.py": "settings of one kind",
    "families/fused_planes/mixing.py": "one small thing, asked for from several places",
    "families/fused_planes/stored_texels.py": "one small thing, asked for from several places",
    "families/mixture/instance_pictures.py": "what needs an optional package",
    "families/mixture/phases.py": "settings of one kind",
    "families/mixture/principal_start.py": "one small thing, asked for from several places",
    "families/names.py": "the command line loads it, and no family",
    "families/octree/morton.py": "one small thing, asked for from several places",
    "families/octree/stream/tables.py": "what commands print of a stream",
    "families/octree/walkable.py": "one small thing, asked for from several places",
    "families/tensor_planes/stacked_planes.py": "one small thing, asked for from several places",
    "families/tensor_planes/transform/pictures.py": "what needs an optional package",
    "fields/axes.py": "all may import it, so it imports little",
    "fields/compositing.py": "all may import it, so it imports little",
    "fields/directions.py": "all may import it, so it imports little",
    "fields/guide_places.py": "all may import it, so it imports little",
    "fields/samples.py": "all may import it, so it imports little",
    "fitting/plateaus.py": "one small thing, asked for from several places",
    "fitting/progress.py": "all may import it, so it imports little",
    "generation/gaussian.py": "one small thing, asked for from several places",
    "memory.py": "all may import it, so it imports little",
    "rendering/clipping.py": "one small thing, asked for from several places",
    "rendering/tiny_decoder.py": "arrays for kernels",
    "runs/codec_choice.py": "one decision of a run, which several steps ask for",
    "runs/comparisons/common.py": "one decision of a run, which several steps ask for",
    "runs/rd/network.py": "one decision of a run, which several steps ask for",
    "runs/sources/moved.py": "one decision of a run, which several steps ask for",
    "runs/sources/table.py": "one decision of a run, which several steps ask for",
    "runs/stages.py": "one decision of a run, which several steps ask for",
    "views/gltf/draco.py": "what needs an optional package",
    "views/gltf/resources.py": "one form of file",
    "views/readers/colmap_masks.py": "one form of file",
    "views/render_workers.py": "worker processes import it, and little else",
}
"""Files of fewer than 40 lines."""

WITHOUT_EXAMPLE: dict[str, str] = {
    "collection/streams.py: read_stream": "needs octrees, which docs/guides/rendering.md shows",
    "fields/codes.py: ObjectCodes": "what others implement: examples/ and the families show it",
    "fields/family.py: FamilyConfig": "what others implement: examples/ and the families show it",
    "fields/family.py: FamilyNetwork": "what others implement: examples/ and the families show it",
    "fields/scenes.py: SceneCodes": "what others implement: examples/ and the families show it",
    "fields/scenes.py: SceneField": "what others implement: examples/ and the families show it",
    "fields/scenes.py: SceneGrids": "what others implement: examples/ and the families show it",
    "runs/comparisons/codecs.py: compare_codecs": "fits or codes for minutes",
    "runs/comparisons/families.py: compare_families": "fits or codes for minutes",
    "runs/comparisons/variants.py: compare": "fits or codes for minutes",
    "runs/demo.py: demo": "fits or codes for minutes",
    "runs/pictures.py: render_stream": "needs octrees, which docs/guides/rendering.md shows",
    "runs/rd/curves.py: rd": "fits or codes for minutes",
    "shapes/fit_shape.py: ShapeReport": "fits for half a minute; docs/guides/surfaces.md shows it",
    "shapes/fit_shape.py: extract_surface": "fits for half a minute; docs/guides/surfaces.md shows it",
    "shapes/fit_shape.py: fit_shape": "fits for half a minute; docs/guides/surfaces.md shows it",
}
"""Public names that no example shows."""

OTHER_FILES: dict[str, str] = {}
"""Names of files that documents give and this repository does not have."""

COVERED_BY: dict[str, tuple[str, ...]] = {
    "collection/test_format.py": ("collection/checksums.py",),
    "collection/test_objects.py": (
        "collection/records.py",
        "collection/shared_file.py",
    ),
    "collection/test_reader.py": (
        "collection/index_checks.py",
        "collection/tensors.py",
    ),
    "collection/test_shards.py": ("collection/header.py",),
    "collection/test_verify.py": (
        "collection/index.py",
        "collection/manifest.py",
    ),
    "commands/test_fit_family.py": ("families/names.py",),
    "commands/test_info.py": ("commands/verify.py",),
    "commands/test_main.py": ("commands/_command.py",),
    "commands/test_prior.py": (
        "commands/interpolate.py",
        "commands/sample.py",
    ),
    "commands/test_run_commands.py": (
        "commands/_run_folder.py",
        "commands/add.py",
        "commands/compare.py",
        "commands/compress.py",
        "commands/demo.py",
        "commands/eval.py",
        "commands/fit.py",
        "commands/rd.py",
        "commands/render.py",
    ),
    "commands/test_shape.py": ("commands/extract.py",),
    "compression/test_ans.py": ("compression/ans_loops.py",),
    "compression/test_entropy.py": ("compression/frequencies.py",),
    "compression/test_network_bytes.py": ("compression/halves.py",),
    "compression/transform/test_hyperprior.py": ("compression/transform/latents.py",),
    "evaluation/report/test_page.py": (
        "evaluation/report/data.py",
        "evaluation/report/figures.py",
        "evaluation/report/grid.py",
        "evaluation/report/pictures.py",
        "evaluation/report/sections.py",
        "evaluation/report/tables.py",
    ),
    "evaluation/test_costs.py": (
        "evaluation/forecast.py",
        "evaluation/units.py",
    ),
    "evaluation/test_metrics.py": ("evaluation/scores.py",),
    "evaluation/test_record.py": ("evaluation/machine.py",),
    "families/factor_fields/test_field.py": (
        "families/factor_fields/family.py",
        "families/octree/stream/form.py",
    ),
    "families/factor_fields/test_fit.py": ("families/factor_fields/grids.py",),
    "families/factor_fields/test_fitter.py": ("fitting/scene_fitter.py",),
    "families/factor_fields/test_products.py": ("families/factor_fields/product_kernels.py",),
    "families/factor_fields/transform/test_fitter.py": (
        "families/factor_fields/importance.py",
        "families/factor_fields/transform/scene.py",
    ),
    "families/fused_planes/latents/test_codec.py": (
        "families/fused_planes/codebooks/codec.py",
        "families/fused_planes/codebooks/settings.py",
    ),
    "families/fused_planes/latents/test_fitter.py": ("families/fused_planes/latents/learning.py",),
    "families/fused_planes/test_field.py": ("families/fused_planes/config.py",),
    "families/fused_planes/test_fitter.py": (
        "fitting/ray_fitter.py",
        "fitting/set_fitter.py",
    ),
    "families/fused_planes/test_mixing_kernels.py": ("families/fused_planes/mixing.py",),
    "families/fused_planes/test_plane_loss.py": ("families/fused_planes/stored_texels.py",),
    "families/fused_planes/test_settings.py": (
        "families/fused_planes/family.py",
        "families/fused_planes/parts.py",
        "families/fused_planes/phases.py",
    ),
    "families/mixture/test_adaptation.py": ("families/mixture/instance_fitter.py",),
    "families/mixture/test_basis_similarity.py": ("families/mixture/config.py",),
    "families/mixture/test_field.py": (
        "families/mixture/family.py",
        "families/mixture/siren.py",
    ),
    "families/mixture/test_instance_pictures.py": ("rendering/solids.py",),
    "families/mixture/test_settings.py": (
        "families/mixture/phases.py",
        "families/mixture/presets.py",
    ),
    "families/mixture/test_sines.py": ("families/mixture/sine_kernels.py",),
    "families/octree/codebooks/test_indices.py": ("families/octree/codebooks/index_kernels.py",),
    "families/octree/stream/test_codec.py": ("families/octree/stream/tables.py",),
    "families/octree/stream/test_stream.py": ("families/octree/stream/sizes.py",),
    "families/octree/test_field.py": (
        "families/octree/corner_features.py",
        "families/octree/corner_kernels.py",
        "families/octree/walkable.py",
    ),
    "families/octree/test_fit.py": ("families/octree/fitter.py",),
    "families/octree/test_settings.py": (
        "families/octree/family.py",
        "families/octree/growing.py",
    ),
    "families/tensor_planes/pyramid/test_fitter.py": (
        "families/tensor_planes/pyramid/settings.py",
        "families/tensor_planes/stacked_planes.py",
    ),
    "families/tensor_planes/pyramid/test_scene.py": ("families/tensor_planes/pyramid/vectors.py",),
    "families/tensor_planes/pyramid/test_sensitivity.py": ("fitting/scene_loss.py",),
    "families/tensor_planes/pyramid/test_stream.py": ("compression/checked_parts.py",),
    "families/tensor_planes/test_fit.py": ("families/tensor_planes/family.py",),
    "families/tensor_planes/test_products.py": ("families/tensor_planes/product_kernels.py",),
    "families/tensor_planes/transform/test_fitter.py": (
        "families/tensor_planes/transform/start.py",
        "fitting/transform/loop.py",
        "fitting/transform/model.py",
    ),
    "families/tensor_planes/transform/test_scene.py": (
        "families/tensor_planes/transform/other_scenes.py",
        "families/tensor_planes/transform/pictures.py",
    ),
    "families/test_codec.py": (
        "families/family.py",
        "families/float16.py",
        "families/stream_form.py",
    ),
    "fields/test_codes.py": (
        "fields/axes.py",
        "fields/directions.py",
        "fields/family.py",
        "fields/samples.py",
        "fields/scenes.py",
    ),
    "fitting/test_settings.py": (
        "fitting/object_by_object.py",
        "fitting/progress.py",
    ),
    "fitting/transform/test_hyperprior.py": ("fitting/transform/settings.py",),
    "generation/test_diffusion.py": ("generation/denoiser.py",),
    "generation/test_learning.py": ("generation/settings.py",),
    "rendering/test_fused_cpu.py": (
        "rendering/fused_kernels.py",
        "rendering/fused_loss_kernel.py",
        "rendering/fused_steps.py",
        "rendering/texels.py",
        "rendering/tree_steps.py",
    ),
    "rendering/test_fused_triton.py": (
        "rendering/fused_triton_backward.py",
        "rendering/fused_triton_kernels.py",
    ),
    "rendering/test_guided_triton.py": ("rendering/guided_kernel.py",),
    "rendering/test_occupancy.py": ("rendering/seen_places.py",),
    "rendering/test_triton_compiles.py": ("rendering/tiny_decoder.py",),
    "rendering/test_walking.py": ("rendering/walking_kernels.py",),
    "runs/comparisons/test_codecs.py": (
        "families/octree/baselines/methods.py",
        "runs/comparisons/common.py",
        "runs/comparisons/pictures.py",
    ),
    "runs/rd/test_curves.py": (
        "families/tensor_planes/baselines/codec.py",
        "runs/rd/report.py",
    ),
    "runs/rd/test_transform.py": (
        "runs/rd/codecs.py",
        "runs/rd/network.py",
        "runs/rd/source.py",
    ),
    "runs/sources/test_looks.py": (
        "runs/sources/instances.py",
        "runs/sources/loading.py",
        "runs/sources/posed_views.py",
        "runs/sources/results.py",
        "runs/sources/table.py",
    ),
    "runs/sources/test_moved.py": (
        "runs/sources/costs.py",
        "runs/sources/held_out.py",
        "runs/sources/source.py",
    ),
    "runs/test_compress.py": ("runs/compression_waves.py",),
    "runs/test_evaluate.py": (
        "runs/add.py",
        "runs/begin.py",
        "runs/sampling.py",
        "runs/under_way.py",
    ),
    "runs/test_lock.py": (
        "_lock.py",
        "runs/codec_choice.py",
        "runs/demo.py",
        "runs/originals.py",
        "runs/publishing.py",
    ),
    "runs/test_plan.py": ("memory.py",),
    "runs/test_trainer.py": ("fitting/fitters.py",),
    "shapes/test_fit_shape.py": (
        "families/octree/stream/parts.py",
        "shapes/isosurface.py",
    ),
    "test_compiled.py": ("_version.py",),
    "test_cores.py": ("errors.py",),
    "test_kept.py": ("_io.py",),
    "views/gltf/test_container.py": (
        "views/gltf/buffers.py",
        "views/gltf/extensions.py",
        "views/gltf/resources.py",
        "views/gltf/textures.py",
    ),
    "views/inventory/test_making.py": (
        "views/inventory/buildings.py",
        "views/inventory/cars.py",
        "views/inventory/furniture.py",
        "views/inventory/looks.py",
        "views/inventory/model.py",
        "views/inventory/plants.py",
        "views/inventory/shapes.py",
        "views/inventory/toys.py",
        "views/inventory/vehicle_parts.py",
        "views/inventory/vehicles.py",
        "views/inventory/vessels.py",
    ),
    "views/mesh_renderer/test_coordinates.py": (
        "views/mesh_renderer/actors.py",
        "views/mesh_renderer/shading.py",
    ),
    "views/readers/test_colmap.py": (
        "views/readers/capture.py",
        "views/readers/colmap_files.py",
        "views/readers/colmap_masks.py",
        "views/readers/objects.py",
    ),
    "views/readers/test_hostile.py": (
        "views/readers/detect.py",
        "views/readers/frame_intrinsics.py",
    ),
    "views/test_check.py": (
        "views/depth_check.py",
        "views/placement.py",
    ),
    "views/test_instances.py": ("views/types.py",),
    "views/test_mesh_sources.py": ("views/mesh.py",),
    "views/test_obj.py": (
        "views/mesh_files.py",
        "views/mtl.py",
    ),
    "views/test_ply.py": ("views/ply_tables.py",),
    "views/test_render_set.py": ("views/render_workers.py",),
}
"""Modules without a test file of their own, by the test file that runs them."""
