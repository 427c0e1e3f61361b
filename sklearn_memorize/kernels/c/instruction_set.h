/* All kernels for one instruction set; the file that includes this one says which. */
#include "kernels.h"
#include "vectors.h"

#include "layouts.h"
#include "rows.h"

#include "hinges.h"

#include "packing.h"
#include "signs.h"

#include "ceilings.h"
#include "tiles.h"

#include "planes.h"

#include "margins.h"

#include "outputs.h"

#include "races.h"

#include "rounded.h"

#include "covering.h"

#include "left_out.h"

#include "left_out_planes.h"

#include "side_by_side.h"

#define TABLE_OF(name) TABLE_OF_(name)
#define TABLE_OF_(name) kernels_##name
#define TEXT(name) TEXT_(name)
#define TEXT_(name) #name

const struct kernels TABLE_OF(INSTRUCTION_SET) = {
    .name = TEXT(INSTRUCTION_SET),
    .row_hashes = row_hashes,
    .ordered_product = ordered_product,
    .largest_differences = largest_differences,
    .differences_of_pairs = differences_of_pairs,
    .integer_sums = integer_sums,
    .row_norms = row_norms,
    .pair_sums = pair_sums,
    .compensated_sums = compensated_sums,
    .hinge_sums = hinge_sums,
    .pack_signs = pack_signs,
    .pack_rows = pack_rows,
    .pack_signs_of_rows = pack_signs_of_rows,
    .tiles_of_rows = tiles_of_rows,
    .signs_in_planes = signs_in_planes,
    .arrange = arrange,
    .words_at = words_at,
    .smallest_counts = smallest_counts,
    .covers = covers,
    .classes_that_fire = classes_that_fire,
    .largest_margins = largest_margins,
    .margins_of_rows = margins_of_rows,
    .read_groups = read_groups,
    .ceilings_of_rows = ceilings_of_rows,
    .round_outputs = round_outputs,
    .smallest_sums = smallest_sums,
    .sums_below = sums_below,
    .classes_with_sums_below = classes_with_sums_below,
    .largest_margins_of_sums = largest_margins_of_sums,
    .round_outputs_of_rows = round_outputs_of_rows,
    .rounded_margins = rounded_margins,
    .cover_in_order = cover_in_order,
    .first_apart = first_apart,
    .gini_gains = gini_gains,
    .two_smallest_counts = two_smallest_counts,
    .margin_sums = margin_sums,
};
